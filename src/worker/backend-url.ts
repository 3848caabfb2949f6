/**
 * Returns the URL of `path` under a backend's base; undefined for a path that could lead anywhere else. A worker is inside a
 * private network and its paths come from outside, so they MUST NOT reach anything that is not under the base.
 */
export function toBackendUrl(base: string, path: string): string | undefined {
  // Printable ASCII, without `#` and without the backslash, which servers read as a slash. The rest must be percent-encoded.
  if (!/^\/(?!\/)[!-~]*$/.test(path) || /[\\#]/.test(path)) return undefined;
  const query = path.indexOf("?");
  const pathname = query < 0 ? path : path.slice(0, query);
  if (!isPlain(pathname) || !URL.canParse(base + path)) return undefined;
  const url = new URL(base + path);
  const from = new URL(base);
  const root = from.pathname.endsWith("/") ? from.pathname : `${from.pathname}/`;
  return url.origin === from.origin && url.username === "" && url.pathname.startsWith(root) ? url.href : undefined;
}

/** Checks that no segment climbs, even when it is decoded repeatedly, as a backend or a proxy in front of it may do. */
function isPlain(pathname: string): boolean {
  let text = pathname;
  // Nothing legitimate is encoded eight times.
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
    // Some servers cut off parameters (`..;x`) before they look at a segment.
    const name = segment.split(";")[0] ?? "";
    return name !== "." && name !== ".." && !(index === 1 && segment === "" && text !== "/");
  });
}

/** Decodes percent-encoding; undefined for malformed escapes and for encoded control characters. */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
    return /[\u0000-\u001f\u007f]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined; // A malformed escape, or bytes that are not UTF-8.
  }
}
