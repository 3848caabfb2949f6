/** The syntaxes of files with MCP servers, in the order in which they are tried. JSON may have comments. */
const PARSERS: readonly ((text: string) => unknown)[] = [Bun.JSONC.parse, Bun.YAML.parse, Bun.TOML.parse];

/** Parses a file of JSON, YAML or TOML, whichever it is; undefined for anything else. */
export function parseDocument(written: string): unknown {
  // Editors on Windows write a byte order mark.
  const text = written.startsWith("\ufeff") ? written.slice(1) : written;
  let first: unknown;
  for (const parse of PARSERS) {
    try {
      const document = parse(text);
      // The first line of a TOML file may be a list in YAML.
      if (typeof document === "object" && document !== null && !Array.isArray(document)) return document;
      first ??= document;
    } catch {
      // Another syntax may fit.
    }
  }
  return first;
}
