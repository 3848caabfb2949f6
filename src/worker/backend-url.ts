/**
 * The URL of `path` under a backend's base, or undefined for a path that could lead anywhere else. A worker sits inside a
 * private network and its paths come from outside: nothing but what lies under the base may be reached with one.
 */
export function toBackendUrl(base: string, path: string): string | undefined {
  // Printable ASCII without what starts a fragment or what servers read as a slash; the rest must come percent-encoded.
  if (!/^\/(?!\/)[!-~]*$/.test(path) || /[\\#]/.test(path)) return undefined;
  const query = path.indexOf("?");
  const pathname = query < 0 ? path : path.slice(0, query);
  if (!isPlain(pathname) || !URL.canParse(base + path)) return undefined;
  const url = new URL(base + path);
  const from = new URL(base);
  const root = from.pathname.endsWith("/") ? from.pathname : `${from.pathname}/`;
  return url.origin === from.origin && url.username === "" && url.pathname.startsWith(root) ? url.href : undefined;
}

/** Decoded again and again, since a backend or a proxy before it may do so, no segment climbs. */
function isPlain(pathname: string): boolean {
  let text = pathname;
  // Eight layers of encoding have no honest use.
  for (let layer = 0; layer < 8; layer += 1) {
    if (!climbsNowhere(text)) return false;
    const decoded = decode(text);
    if (decoded === undefined) return false;
    if (decoded === text) return true;
    text = decoded;
  }
  return false;
}

function climbsNowhere(text: string): boolean {
  return text.split(/[/\\]/).every((segment, index) => {
    // Some servers cut parameters (`..;x`) off before they look at a segment.
    const name = segment.split(";")[0] ?? "";
    return name !== "." && name !== ".." && !(index === 1 && segment === "" && text !== "/");
  });
}

/** Undefined for percent signs that encode nothing, and for control characters in disguise. */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
    return /[\u0000-\u001f\u007f]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined; // A malformed escape, or bytes that are no UTF-8.
  }
}
