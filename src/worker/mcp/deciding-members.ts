import { isRecord } from "../../json/parse.ts";

/** The members that decide what a message asks for, at each level of it. */
export const DECIDING = {
  message: ["jsonrpc", "id", "method", "params", "result", "error"],
  params: ["name", "uri", "ref", "notifications", "arguments"],
  ref: ["type", "name", "uri"],
  notifications: ["resourceSubscriptions"],
} as const;

/** The most characters of a name that may be another spelling of a known one. No letter folds into fewer characters. */
const MAX_NAME_CHARS = 100;

/**
 * Whether one of an object's names differs from a known one in case alone. Some parsers, such as Go's, take such a member for the known
 * one, so a server may read another message than the one that was judged.
 */
export function hasOtherSpelling(names: Iterable<string>, known: readonly string[]): boolean {
  const foldedKnown = new Set(known.map(folded));
  for (const name of names) if (!known.includes(name) && foldedKnown.has(folded(name))) return true;
  return false;
}

/** Whether a parser may read the parameters of a message in two ways, at any level that decides. */
export function isAmbiguous(params: unknown): boolean {
  if (!isRecord(params)) return false;
  if (hasOtherSpelling(Object.keys(params), DECIDING.params)) return true;
  const { ref, notifications } = params;
  return (
    (isRecord(ref) && hasOtherSpelling(Object.keys(ref), DECIDING.ref)) ||
    (isRecord(notifications) && hasOtherSpelling(Object.keys(notifications), DECIDING.notifications))
  );
}

/** Whether a value names something as every program reads it: some end a text at a zero byte, or repair one. */
export function isName(value: unknown): value is string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return typeof value === "string" && value.isWellFormed() && !/[\x00-\x1f\x7f]/.test(value);
}

/** The form in which names are equal that differ in case, also by the few letters which Unicode folds into Latin ones. */
function folded(name: string): string {
  return name.slice(0, MAX_NAME_CHARS).normalize("NFKC").toLowerCase();
}
