/** A YAML document, or the reason for which a text is none. */
export type ParsedYaml =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** The longest text in which the line of a mistake is looked for, and how many characters are parsed for that: 0.3 s at most. */
const MAX_CHARS = 2_000_000;
const MAX_PARSED_CHARS = 8_000_000;
/** How many lines of a list in brackets, or of a text in quotes, are followed to its end. */
const MAX_OPEN_LINES = 100;

/** Parses a YAML text. The reason names the line, and contains no text of the file, which may hold secrets. */
export function parseYaml(text: string): ParsedYaml {
  try {
    return { ok: true, value: Bun.YAML.parse(text) };
  } catch (error) {
    if (error instanceof SyntaxError) {
      // Bun's messages say what went wrong and never contain text of the file. They do not say where.
      const what = error.message.replace(/^YAML Parse error: /, "");
      const line = faultyLine(text);
      return { ok: false, reason: line === undefined ? what : `${what} in line ${line}` };
    }
    // The parser calls itself for each level.
    if (error instanceof RangeError) return { ok: false, reason: "Too many levels" };
    throw error;
  }
}

/**
 * Returns the number of the first line at which a text that is not valid stops being valid: up to the line before, it is a
 * document of its own. That is the line of the mistake, or the one in which the list or the text with the mistake begins.
 * Undefined if the text is too long to look for it.
 */
function faultyLine(text: string): number | undefined {
  if (text.length > MAX_CHARS) return undefined;
  const ends = [0, ...text.matchAll(/\n|$/g).map(({ index }) => index + 1)];
  let left = MAX_PARSED_CHARS;
  const isValidUpTo = (line: number): boolean => {
    const part = text.slice(0, ends[line]);
    left -= part.length;
    return isValid(part);
  };
  let valid = 0;
  for (;;) {
    let faulty = ends.length - 1;
    while (faulty - valid > 1 && left > 0) {
      const middle = (valid + faulty) >> 1;
      if (isValidUpTo(middle)) valid = middle;
      else faulty = middle;
    }
    // What is open at the end of this line may be closed by a later one.
    const last = Math.min(faulty + MAX_OPEN_LINES, ends.length - 2);
    let next = faulty + 1;
    while (next <= last && left > 0 && !isValidUpTo(next)) next += 1;
    if (left <= 0) return undefined;
    if (next > last) return faulty;
    valid = next;
  }
}

function isValid(text: string): boolean {
  try {
    Bun.YAML.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return false;
    throw error;
  }
}
