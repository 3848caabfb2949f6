import { parseDuration } from "../settings/units.ts";
import { CommandFault } from "./command-fault.ts";
import type { Flags } from "./options.ts";

// The flags that say what a key allows. Each of them is a field of the request, whose value the server checks.

export const LIMIT_FLAGS = {
  parallel: { value: "n", help: "Jobs that may run at the same time; further ones wait." },
  "max-waiting": { value: "n", help: "Jobs that may wait at the same time; further ones are refused." },
  "requests-per-minute": { value: "n", help: "Requests within any 60 seconds." },
  "tokens-per-minute": { value: "n", help: "Input and output tokens within any 60 seconds, such as 20k." },
  "tokens-per-day": { value: "n", help: "Budget of tokens for a day, such as 2M." },
  "tokens-per-week": { value: "n", help: "The same for a week, which begins on Monday." },
  "tokens-per-month": { value: "n", help: "The same for a month." },
  "audio-seconds-per-day": { value: "n", help: "Budget of transcribed audio for a day, in seconds." },
  "audio-seconds-per-week": { value: "n", help: "The same for a week." },
  "audio-seconds-per-month": { value: "n", help: "The same for a month." },
  timezone: {
    value: "zone",
    help: "Time zone in which budgets reset at midnight, such as Europe/Berlin (default: UTC).",
  },
  "on-limit": {
    value: "wait|refuse",
    help: "What a request does at a limit that is not a budget (default: wait).",
  },
} as const satisfies Flags;

/** What a key may do at relays that leave it to the server who may call. Each is the field of `mcp` behind its first part. */
const MCP_FLAGS = {
  "mcp-relays": {
    value: "globs",
    help: "Relays with --access connector that may be called, by their ids; nothing: no relay (default: all; when updating, none: all again).",
  },
  "mcp-tools": {
    value: "globs",
    help: "Tools that may be used there, such as read_*,@read-only,!read_secrets; nothing: no tool (default: all; when updating, none: all again).",
  },
  "mcp-prompts": { value: "globs", help: "Prompts that may be used there; the same words." },
  "mcp-resources": { value: "globs", help: "URIs of resources that may be read there; the same words." },
  "mcp-parallel": { value: "n", help: "Calls there that may run at the same time; further ones are refused." },
  "mcp-requests-per-minute": { value: "n", help: "Calls there within any 60 seconds; further ones are refused." },
} as const satisfies Flags;

export const TERM_FLAGS = {
  tenant: { value: "name", help: "Group that the key belongs to, and shares one place in the queue with." },
  models: { value: "globs", help: "Models that may be used, comma separated, such as qwen*,llama3:8b (default: all)." },
  weight: { value: "n", help: "Share of a busy server, from 0.01 to 100 (default: 1)." },
  class: { value: "class", help: "interactive, normal or background (default: normal)." },
  "user-header": { value: "header", help: "Request header that names the end user." },
  prefer: { value: "own", help: "own: prefer workers that serve only the key's tenant." },
  tenants: { value: "names", help: "For a worker's key: the only tenants that it serves, comma separated." },
  "max-slots": { value: "n", help: "For a worker's key: the most slots of the worker." },
  "expires-at": { value: "time", help: "When the key expires, such as 2027-01-31T00:00:00Z (default: never)." },
  "expires-in": { value: "duration", help: "How long the key is valid from now on, such as 90d." },
  ...MCP_FLAGS,
  ...LIMIT_FLAGS,
} as const satisfies Flags;

const MCP_LISTS: readonly string[] = ["mcp-relays", "mcp-tools", "mcp-prompts", "mcp-resources"];
const LISTS: readonly string[] = ["models", "tenants", ...MCP_LISTS];

/** The word for an empty list of what a key may do at relays. */
export const NOTHING = "nothing";

/**
 * Returns the request that flags stand for. With `isPatch`, the value `none` takes a field away. `now` is in milliseconds
 * since 1970.
 */
export function fieldsOf(values: ReadonlyMap<string, readonly string[]>, isPatch: boolean, now: number): object {
  const fields: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  const mcp: Record<string, unknown> = {};
  for (const [flag, given] of values) {
    if (!Object.hasOwn(TERM_FLAGS, flag)) continue;
    const last = given.at(-1) ?? "";
    const value = isPatch && last === "none" ? null : valueIn(flag, given, last, now);
    if (Object.hasOwn(LIMIT_FLAGS, flag)) limits[flag.replaceAll("-", "_")] = value;
    else if (Object.hasOwn(MCP_FLAGS, flag)) mcp[flag.replace("mcp-", "").replaceAll("-", "_")] = value;
    else fields[flag === "expires-in" ? "expires_at" : flag.replaceAll("-", "_")] = value;
  }
  return {
    ...fields,
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(mcp).length > 0 && { mcp }),
  };
}

function valueIn(flag: string, given: readonly string[], last: string, now: number): unknown {
  if (LISTS.includes(flag)) {
    const items = given.flatMap((each) => each.split(",").map((item) => item.trim())).filter(Boolean);
    return MCP_LISTS.includes(flag) ? mcpList(flag, items) : items;
  }
  if (flag === "weight") return Number.isNaN(Number(last)) ? last : Number(last);
  if (flag !== "expires-in") return last;
  return new Date(now + durationOf("expires-in", last, "90d, 12h or 30m")).toISOString();
}

/** Returns the patterns of a list; none for the word `nothing`. Throws a `CommandFault` for `none`, which sounds like it and is not. */
function mcpList(flag: string, items: readonly string[]): readonly string[] {
  if (items.length === 1 && items[0] === NOTHING) return [];
  if (items.includes("none"))
    throw new CommandFault(
      `--${flag} takes no pattern none: use nothing for an empty list, or leave the flag out for all.`,
    );
  if (items.includes(NOTHING)) throw new CommandFault(`--${flag} takes either nothing or patterns.`);
  return items;
}

/**
 * Returns the milliseconds of a flag's duration. Throws a `CommandFault` for a number without its unit, which would be seconds
 * and was meant as days or hours.
 */
export function durationOf(flag: string, text: string, examples: string): number {
  const duration = parseDuration(text);
  const hasUnit = /[a-z]$/i.test(text);
  if (duration !== undefined && (hasUnit || duration === 0)) return duration;
  throw new CommandFault(`--${flag} must be a duration with its unit: ${examples}.`);
}
