import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";

/** What an MCP server says of itself in answer to `initialize` or `server/discover`. */
export interface Facts {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly instructions?: string;
}

/** The most characters of one server's instructions. They reach the model of each client. */
const MAX_INSTRUCTION_CHARS = 8192;

export function factsIn(result: unknown): Facts {
  const capabilities = isRecord(result) && isRecord(result["capabilities"]) ? result["capabilities"] : {};
  const instructions = isRecord(result) ? result["instructions"] : undefined;
  return typeof instructions === "string" && instructions.trim() !== ""
    ? { capabilities, instructions: instructions.slice(0, MAX_INSTRUCTION_CHARS) }
    : { capabilities };
}

/** The capabilities whose lists a hub merges. It says itself when one has changed. */
const LISTS = ["tools", "prompts", "resources"];
/** Capabilities that a hub does not pass on: it cannot tell whose task an id is. */
const NOT_PASSED: ReadonlySet<string> = new Set(["tasks"]);

/**
 * Merges what servers can do, and adds that lists may change: a server may come late, or fail. One that has not said what it
 * can do, undefined here, may have anything to list.
 */
function mergedCapabilities(all: readonly (Facts | undefined)[]): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = {};
  if (all.includes(undefined)) for (const name of LISTS) merged[name] = {};
  for (const facts of all) {
    for (const [name, value] of Object.entries(facts?.capabilities ?? {})) {
      if (!NOT_PASSED.has(name)) merged[name] = union(merged[name], value);
    }
  }
  for (const name of LISTS) if (isRecord(merged[name])) merged[name] = { ...merged[name], listChanged: true };
  return merged;
}

/** Merges two values of one capability: a server of either kind gives it to all. */
function union(one: unknown, other: unknown): unknown {
  if (!isRecord(one) || !isRecord(other)) return one === undefined || one === false ? other : one;
  const merged: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) merged[name] = union(merged[name], value);
  return merged;
}

interface Named {
  readonly prefix: string;
  readonly facts: Facts | undefined;
}

/** Joins the servers' instructions, and says which is whose. Undefined if there are none. */
function mergedInstructions(members: readonly Named[]): string | undefined {
  const texts = members.flatMap(({ prefix, facts }) =>
    facts?.instructions === undefined ? [] : [`# ${prefix}\n\n${facts.instructions}`],
  );
  if (texts.length === 0) return undefined;
  return [
    `Several MCP servers are behind this one. A tool's name begins with its server's: \`server__tool\`.`,
    ...texts,
  ].join("\n\n");
}

/** Answers a client's `initialize` or `server/discover`, except for the part that only the one or the other has. */
export function mergedFacts(members: readonly Named[]): Readonly<Record<string, unknown>> {
  const instructions = mergedInstructions(members);
  return {
    capabilities: mergedCapabilities(members.map(({ facts }) => facts)),
    ...(instructions === undefined ? {} : { instructions }),
  };
}

/** Returns the revision with sessions to speak with a client: the one that it asks for, if that is known. */
export function agreedVersion(asked: unknown): string {
  const [latest = ""] = SUPPORTED_PROTOCOL_VERSIONS;
  return typeof asked === "string" && SUPPORTED_PROTOCOL_VERSIONS.includes(asked) ? asked : latest;
}
