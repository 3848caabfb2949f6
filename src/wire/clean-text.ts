/**
 * Makes a peer's text safe to show. Removes C0 and C1 controls, line and paragraph separators (U+2028, U+2029) and every
 * mark that reorders text (Unicode's Bidi_Control: U+061C, U+200E–200F, U+202A–202E, U+2066–2069). Lone surrogates become
 * U+FFFD, as they would when written in UTF-8.
 */
export function cleanText(text: string): string {
  return without(text, UNSAFE, ALL_UNSAFE);
}

/** The same for a text of several lines: keeps tabs and line breaks, each of which becomes U+000A. */
export function cleanLines(text: string): string {
  return without(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text, UNSAFE_IN_LINES, ALL_UNSAFE_IN_LINES);
}

const MARKS = "\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
const UNSAFE = new RegExp(`[\\u0000-\\u001f${MARKS}]`);
const ALL_UNSAFE = new RegExp(UNSAFE, "g");
const UNSAFE_IN_LINES = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${MARKS}]`);
const ALL_UNSAFE_IN_LINES = new RegExp(UNSAFE_IN_LINES, "g");

/** `one` finds the first of what `all` finds, and keeps no position. Most texts have nothing to remove, and are not copied. */
function without(text: string, one: RegExp, all: RegExp): string {
  if (!one.test(text) && text.isWellFormed()) return text;
  return text.replace(all, "").toWellFormed();
}
