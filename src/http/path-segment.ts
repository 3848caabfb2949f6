/** What a segment of a URL's path may hold (RFC 3986 §3.3), percent signs included. */
const SEGMENT = /^[A-Za-z0-9._~:@!$&'()*+,;=%-]+$/;

/**
 * Returns whether a path with this segment may be forwarded: nothing but what paths of URLs hold, and no way up. Whoever
 * forwards it MUST look at its percent-encodings besides.
 */
export function isPathSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== "." && segment !== "..";
}
