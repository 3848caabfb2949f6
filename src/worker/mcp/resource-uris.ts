// What rules must know about the URIs of resources: one resource has many, because MCP servers decode and resolve them.

/** A slash, a backslash, or either of them encoded. */
const SEPARATOR = String.raw`[/\\]|%2f|%5c`;
/** A segment `.` or `..`, encoded or not, which a server may resolve away. */
const DOT_SEGMENT = new RegExp(`(?:^|:|${SEPARATOR})(?:\\.|%2e){1,2}(?:$|[?#]|${SEPARATOR})`, "i");

/** Whether a URI may mean another place than its text says, because a segment of it leads upwards or nowhere. */
export function isEvasive(uri: string): boolean {
  return DOT_SEGMENT.test(decodedPercents(uri));
}

/**
 * The URI without encoding, repeated slashes, backslashes, query and fragment, to be compared with what is excluded. Servers
 * know more spellings than these.
 */
export function looseUri(uri: string): string {
  const [, scheme = "", rest = uri] = /^([a-z][a-z\d+.-]*:\/\/)(.*)$/is.exec(uri) ?? [];
  const path = decoded(decodedPercents(rest.replace(/[?#].*$/s, "")));
  return scheme.toLowerCase() + path.replaceAll("\\", "/").replace(/\/{2,}/g, "/");
}

/**
 * Decodes encoded percent signs at every level, so that a URI which was encoded twice has no level left but the last one.
 * Tabs and line ends are removed, as parsers of URLs do.
 */
function decodedPercents(uri: string): string {
  return uri.replace(/[\t\r\n]/g, "").replace(/%(?:25)+/g, "%");
}

function decoded(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString());
}
