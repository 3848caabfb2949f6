/**
 * Makes a peer's text safe to show. Removes C0 and C1 controls, line and paragraph separators (U+2028, U+2029) and every
 * mark that reorders text (Unicode's Bidi_Control: U+061C, U+200E–200F, U+202A–202E, U+2066–2069). Lone surrogates become
 * U+FFFD, as they would when written in UTF-8.
 */
export function cleanText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "").toWellFormed();
}
