import type { Server } from "bun";

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

export function originalOf(request: Request): Request {
  return originals.get(request) ?? request;
}

/** Lifts Bun's idle timeout for one request: it would cut quiet streams, slow uploads and long thinking alike. */
export function liftIdleTimeout(server: Server<unknown> | null, request: Request): void {
  server?.timeout(originalOf(request), 0);
}

/** The address of the peer at the other end of the connection; undefined where there is no connection, as in tests. */
export function peerAddress(server: Server<unknown> | null, request: Request): string | undefined {
  return server?.requestIP(originalOf(request))?.address;
}
