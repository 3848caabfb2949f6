import type { CallOutcome } from "../plugin/ended-calls.ts";
import type { PastCall } from "./past-call.ts";

/** Which calls to read. Absent: all. */
export interface CallFilter {
  readonly relay?: string | undefined;
  /** The name of the caller, the id of its key, or the name that the relay has for it. */
  readonly caller?: string | undefined;
  readonly tenant?: string | undefined;
  /** The tool, prompt or resource; with `*` at its end, all whose names begin so. */
  readonly name?: string | undefined;
  readonly method?: string | undefined;
  readonly outcome?: CallOutcome | undefined;
  /** Only calls that ended at this time or later, in milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Only calls that ended before this time. */
  readonly until?: number | undefined;
  /** Texts, each of which occurs in a text of the call. The letters A to Z count in either case. */
  readonly words?: readonly string[] | undefined;
}

/** The calls that are looked at together, which takes 1 to 2 ms. */
export const WINDOW_CALLS = 1000;

/** A few of the kept calls, which were looked at together. */
export interface CallWindow {
  /** Those that match, the newest first. */
  readonly calls: readonly PastCall[];
  /** The oldest call that was looked at; undefined if there are no older ones. */
  readonly oldest: Pick<PastCall, "id" | "endedAt"> | undefined;
}

/** What is kept: the newest calls, of which those that were refused are counted apart. */
export interface CallBounds {
  readonly calls: number;
  readonly refused: number;
  /** Only calls that ended at this time or later. */
  readonly since: number;
}

/** Keeps calls. Methods MUST NOT throw if a write fails. */
export interface CallRecords {
  /** Returns the id of the newest call; 0 if there is none. */
  lastId(): number;
  /** Adds calls in the order of their ids. Returns whether it has; the caller tries again otherwise. */
  add(calls: readonly PastCall[]): boolean;
  /** Looks at the newest calls with ids below `before`: at no more than a turn of the event loop has time for. */
  look(filter: CallFilter, before: number, limit: number): CallWindow;
  /** Removes at most `limit` calls of each kind that are beyond the bounds. Returns whether more are left. */
  prune(bounds: CallBounds, limit: number): boolean;
}

/** Returns whether a call is one of those that a filter means. */
export function isMeant(call: PastCall, filter: CallFilter): boolean {
  const { relay, caller, tenant, name, method, outcome, since, until, words = [] } = filter;
  if (relay !== undefined && call.relay !== relay) return false;
  if (caller !== undefined && ![call.caller, call.key, call.relayCaller].includes(caller)) return false;
  if (tenant !== undefined && call.tenant !== tenant) return false;
  if (name !== undefined && !isNamed(call.name, name)) return false;
  if (method !== undefined && call.method !== method) return false;
  if (outcome !== undefined && call.outcome !== outcome) return false;
  if (since !== undefined && call.endedAt < since) return false;
  if (until !== undefined && call.endedAt >= until) return false;
  if (words.length === 0) return true;
  const searched = lowered(textsOf(call).join("\n"));
  return words.every((word) => searched.includes(lowered(word)));
}

function isNamed(name: string | undefined, wanted: string): boolean {
  return wanted.endsWith("*") ? name?.startsWith(wanted.slice(0, -1)) === true : name === wanted;
}

/** The texts in which words are looked for. Arguments are not among them: they may be long. */
function textsOf(call: PastCall): readonly string[] {
  const { relay, caller, key, client, relayCaller, address, method, name, outcome, reason, requestId } = call;
  return [relay, caller, key, client, relayCaller, address, method, name, outcome, reason, requestId].map(
    (each) => each ?? "",
  );
}

/** The letters A to Z in lower case, and everything else as it is: as the store compares. */
export function lowered(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
