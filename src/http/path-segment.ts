/** The characters of a segment of a URL's path (RFC 3986 §3.3), percent signs included. */
const SEGMENT = /^[A-Za-z0-9._~:@!$&'()*+,;=%-]+$/;

/**
 * Returns whether a path with this segment may be forwarded: it has only characters of URL paths, and is neither `.` nor `..`.
 * The caller MUST check its percent-encodings as well.
 */
export function isPathSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== "." && segment !== "..";
}
