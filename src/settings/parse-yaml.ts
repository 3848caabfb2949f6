/** A YAML document, or the reason for which a text is none. */
export type ParsedYaml =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** Parses a YAML text. The reason contains no text of the file, which may hold secrets. */
export function parseYaml(text: string): ParsedYaml {
  try {
    return { ok: true, value: Bun.YAML.parse(text) };
  } catch (error) {
    // Bun's messages say what went wrong and never contain text of the file.
    if (error instanceof SyntaxError) return { ok: false, reason: error.message.replace(/^YAML Parse error: /, "") };
    // The parser calls itself for each level.
    if (error instanceof RangeError) return { ok: false, reason: "Too many levels" };
    throw error;
  }
}
