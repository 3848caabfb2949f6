import type { Glob } from "../../../system/globs.ts";

// URIs of resources behind a hub. They stay as they are, unless another server has the same one: then they are marked with the
// prefix of their server, and are still URIs.

const SCHEME = "moorage:";

/** Marks a URI, or a template of URIs, with its server's prefix. */
export function markedUri(prefix: string, uri: string): string {
  return `${SCHEME}${prefix}:${uri}`;
}

/** Reads a marked URI; undefined for any other. */
export function readMarkedUri(uri: string): { readonly prefix: string; readonly uri: string } | undefined {
  if (!uri.startsWith(SCHEME)) return undefined;
  const end = uri.indexOf(":", SCHEME.length);
  return end < 0 ? undefined : { prefix: uri.slice(SCHEME.length, end), uri: uri.slice(end + 1) };
}

/** Returns a template (RFC 6570) as a pattern for the URIs that may be made of it: what it has between its expressions. */
export function globOfTemplate(template: string): Glob {
  const parts: string[] = [];
  let from = 0;
  for (;;) {
    const open = template.indexOf("{", from);
    const close = open < 0 ? -1 : template.indexOf("}", open);
    if (close < 0) return [...parts, template.slice(from)];
    parts.push(template.slice(from, open));
    from = close + 1;
  }
}
