import type { Server } from "bun";
import { originalOf } from "./original.ts";

/** What only the listening server can do for a request; without one, as in `handle`, nothing of it. */
export interface Listener {
  /** Lifts the idle timeout for one request: it would cut quiet streams, slow uploads and long thinking alike. */
  liftIdleTimeout(request: Request): void;
  /** Takes the lift back once an answer is complete: the rest is sending it, and then the connection is idle. */
  restoreIdleTimeout(request: Request): void;
  /** The address at the other end of the connection. */
  addressOf(request: Request): string | undefined;
  /** Turns the request into a WebSocket; false when it cannot be. */
  upgrade(request: Request, options: { readonly data: unknown; readonly headers?: Record<string, string> }): boolean;
}

/** The longest that Bun knows: a client that reads its answer slowly has more time than one that says nothing at all. */
const RESTORED_IDLE_S = 255;

/** `server` gives Bun's server once it listens. */
export function createListener(server: () => Server<unknown> | null): Listener {
  return {
    liftIdleTimeout: (request) => server()?.timeout(originalOf(request), 0),
    restoreIdleTimeout: (request) => server()?.timeout(originalOf(request), RESTORED_IDLE_S),
    addressOf: (request) => server()?.requestIP(originalOf(request))?.address,
    upgrade: (request, options) => server()?.upgrade(originalOf(request), options) ?? false,
  };
}
