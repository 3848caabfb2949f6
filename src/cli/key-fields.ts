import { parseDuration } from "../settings/units.ts";
import { CommandFault } from "./command-fault.ts";
import type { Flags } from "./options.ts";

// The flags that say what a key allows. Each is a field of a request, and the server checks its value.

export const LIMIT_FLAGS = {
  parallel: { value: "n", help: "Requests that may run at once; further ones wait." },
  "max-waiting": { value: "n", help: "Requests that may wait at once; further ones are refused." },
  "requests-per-minute": { value: "n", help: "Requests that may begin in a minute." },
  "tokens-per-minute": { value: "n", help: "Input and output tokens in a minute: 20k." },
  "tokens-per-day": { value: "n", help: "Budget of tokens for a day: 2M." },
  "tokens-per-week": { value: "n", help: "The same for a week, which begins on Monday." },
  "tokens-per-month": { value: "n", help: "The same for a month." },
  "audio-seconds-per-day": { value: "n", help: "Budget of transcribed audio for a day." },
  "audio-seconds-per-week": { value: "n", help: "The same for a week." },
  "audio-seconds-per-month": { value: "n", help: "The same for a month." },
  timezone: {
    value: "zone",
    help: "Zone whose midnights begin budgets anew, such as Europe/Berlin; UTC unless given.",
  },
  "on-limit": {
    value: "wait|refuse",
    help: "What a request does at a limit that passes by itself; wait unless given.",
  },
} as const satisfies Flags;

export const TERM_FLAGS = {
  tenant: { value: "name", help: "Group with which the key shares one place in the queue." },
  models: { value: "globs", help: "Models that may be used, comma separated: qwen*,llama3:8b. All unless given." },
  weight: { value: "n", help: "Share of a busy server, from 0.01 to 100; 1 unless given." },
  class: { value: "class", help: "interactive, normal or background." },
  "user-header": { value: "header", help: "Header that names the person behind each request." },
  prefer: { value: "own", help: "own: workers that serve only the key's tenant come first." },
  tenants: { value: "names", help: "For a worker's key: the only tenants that it serves, comma separated." },
  "max-slots": { value: "n", help: "For a worker's key: the most slots of the worker." },
  "expires-at": { value: "time", help: "When the key ends: 2027-01-31T00:00:00Z. Never unless given." },
  "expires-in": { value: "duration", help: "The same from now on: 90d." },
  ...LIMIT_FLAGS,
} as const satisfies Flags;

const LISTS: readonly string[] = ["models", "tenants"];

/**
 * Returns the request that flags stand for. With `isPatch`, the value `none` takes a field away. `now` is in milliseconds
 * since 1970.
 */
export function fieldsOf(values: ReadonlyMap<string, readonly string[]>, isPatch: boolean, now: number): object {
  const fields: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  for (const [flag, given] of values) {
    if (!Object.hasOwn(TERM_FLAGS, flag)) continue;
    const last = given.at(-1) ?? "";
    const value = isPatch && last === "none" ? null : valueIn(flag, given, last, now);
    if (Object.hasOwn(LIMIT_FLAGS, flag)) limits[flag.replaceAll("-", "_")] = value;
    else fields[flag === "expires-in" ? "expires_at" : flag.replaceAll("-", "_")] = value;
  }
  return Object.keys(limits).length > 0 ? { ...fields, limits } : fields;
}

function valueIn(flag: string, given: readonly string[], last: string, now: number): unknown {
  if (LISTS.includes(flag)) return given.flatMap((each) => each.split(",").map((item) => item.trim())).filter(Boolean);
  if (flag === "weight") return Number.isNaN(Number(last)) ? last : Number(last);
  if (flag !== "expires-in") return last;
  return new Date(now + durationOf("expires-in", last, "90d, 12h or 30m")).toISOString();
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
