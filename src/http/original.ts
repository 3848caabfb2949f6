/**
 * Requests that were rewritten (a doubled slash, a short host) and the ones that Bun knows: only those can be
 * upgraded, timed out, or asked for their peer.
 */
const originals = new WeakMap<Request, Request>();

/** A copy of `request` for another URL; method, headers, body and abort signal stay. */
export function rewriteUrl(request: Request, url: string): Request {
  const rewritten = new Request(url, request);
  originals.set(rewritten, originalOf(request));
  return rewritten;
}

/** The request as it came in. */
export function originalOf(request: Request): Request {
  return originals.get(request) ?? request;
}
