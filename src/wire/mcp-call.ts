import { isRecord } from "../json/parse.ts";
import { cleanText } from "./clean-text.ts";
import { MAX_TEXT_CHARS } from "./names.ts";

// What the heads of MCP calls say about callers: the server tells a relay who calls and what they may use, and the relay tells
// the server what was called.

/**
 * What a caller may use of an MCP server. Each list has patterns, in which `*` stands for any characters, and `@read-only`,
 * which stands for the tools that the MCP server marks with `readOnlyHint`. An absent list allows everything of its kind, and
 * an empty one nothing.
 */
export interface McpRules {
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  /** Patterns of URIs. */
  readonly resources?: readonly string[];
}

/** The lists of `McpRules`, by their names. */
export const RULE_LISTS = ["tools", "prompts", "resources"] as const;

/** The pattern for tools that the MCP server marks as read-only. */
export const READ_ONLY = "@read-only";

/** The most patterns of one list, and the most characters of one pattern. */
export const MAX_RULES = 100;
export const MAX_RULE_CHARS = 256;

/** The caller of a relay whom the server has let in. The relay sees none of the caller's credentials. */
export interface McpCaller {
  /** Identifies the caller in logs, in audit records, and for what belongs to one caller alone, such as MCP sessions. */
  readonly name: string;
  /** What the caller may use; absent: everything. */
  readonly rules?: McpRules;
}

/** What was called, as the relay has read it: its own callers and bodies of any size are known to the relay alone. */
export interface McpCalled {
  /** The caller by the relay's own list; absent for a caller that the server has named, and where nobody is named. */
  readonly caller?: string;
  /** The tool, prompt or resource that was named. */
  readonly name?: string;
  /** Whether the caller was not allowed to use it, so that the MCP server has not seen the call. */
  readonly denied?: boolean;
  /** The arguments as JSON, where the owner of the relay wants them recorded. Cut where they are longer than the limit. */
  readonly arguments?: string;
}

/** The most characters of recorded arguments. */
export const MAX_ARGUMENT_CHARS = 4096;

/** Reads the caller in a request's head; undefined for anything else. A relay MUST NOT serve a head that has another value. */
export function toMcpCaller(value: unknown): McpCaller | undefined {
  if (!isRecord(value) || !isText(value["name"], MAX_TEXT_CHARS)) return undefined;
  const { name, rules } = value;
  if (rules === undefined) return { name };
  const read = toMcpRules(rules);
  return read && { name, rules: read };
}

/** Reads rules; undefined for anything else. A list that is not known would restrict something, so it is refused. */
export function toMcpRules(value: unknown): McpRules | undefined {
  if (!isRecord(value)) return undefined;
  const rules: { -readonly [K in keyof McpRules]: McpRules[K] } = {};
  for (const [name, list] of Object.entries(value)) {
    const known = RULE_LISTS.find((each) => each === name);
    if (known === undefined || !isPatterns(list)) return undefined;
    rules[known] = list;
  }
  return rules;
}

/** Reads what a relay says about a call. Parts that cannot be read are left out: nothing depends on them but records. */
export function toMcpCalled(value: unknown): McpCalled | undefined {
  if (!isRecord(value)) return undefined;
  const { caller, name, denied } = value;
  const given = value["arguments"];
  return {
    ...(isText(caller, MAX_TEXT_CHARS) ? { caller: cleanText(caller) } : {}),
    ...(isText(name, MAX_TEXT_CHARS) ? { name: cleanText(name) } : {}),
    ...(denied === true ? { denied } : {}),
    ...(isText(given, MAX_ARGUMENT_CHARS) ? { arguments: given } : {}),
  };
}

function isPatterns(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_RULES && value.every((each) => isText(each, MAX_RULE_CHARS));
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= most;
}
