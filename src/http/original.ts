/**
 * Maps requests that were rewritten (a doubled slash, a short host) to those that Bun created. Only the latter can be
 * upgraded, given a timeout, or asked for their peer.
 */
const originals = new WeakMap<Request, Request>();

/** Returns a copy of `request` for another URL. Method, headers, body and abort signal stay. */
export function rewriteUrl(request: Request, url: string): Request {
  const rewritten = new Request(url, request);
  originals.set(rewritten, originalOf(request));
  return rewritten;
}

/** Returns the request that Bun created. */
export function originalOf(request: Request): Request {
  return originals.get(request) ?? request;
}
