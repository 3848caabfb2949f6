/**
 * A peer's words as people may read them: without C0 and C1 controls, line and paragraph separators (U+2028, U+2029), and
 * every mark that reorders text: Unicode's Bidi_Control (U+061C, U+200E–200F, U+202A–202E, U+2066–2069). Halves of
 * characters become U+FFFD, as whoever writes them in UTF-8 would make them.
 */
export function cleanText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this takes out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "").toWellFormed();
}
