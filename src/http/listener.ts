import type { Server } from "bun";
import { originalOf } from "./original.ts";

/** Operations on a request that only a listening server has. Without one, as in a test that calls `handle`, they do nothing. */
export interface Listener {
  /** Lifts the idle timeout for one request: it would cut quiet streams, slow uploads and long computations. */
  liftIdleTimeout(request: Request): void;
  /** Restores an idle timeout. To be called once an answer is complete: it only has to be sent, then the connection is idle. */
  restoreIdleTimeout(request: Request): void;
  /** Returns the address at the other end of the connection; undefined if the connection is gone. */
  addressOf(request: Request): string | undefined;
  /** Turns the request into a WebSocket. Returns false if it is not an upgrade request. */
  upgrade(request: Request, options: { readonly data: unknown; readonly headers?: Record<string, string> }): boolean;
}

/** The longest idle timeout that Bun knows: a client that reads its answer slowly gets more time than one that is silent. */
const RESTORED_IDLE_S = 255;

/** Creates the port for a server that may not listen yet; `server` returns null until it does. */
export function createListener(server: () => Server<unknown> | null): Listener {
  return {
    liftIdleTimeout: (request) => server()?.timeout(originalOf(request), 0),
    restoreIdleTimeout: (request) => server()?.timeout(originalOf(request), RESTORED_IDLE_S),
    addressOf: (request) => server()?.requestIP(originalOf(request))?.address,
    upgrade: (request, options) => server()?.upgrade(originalOf(request), options) ?? false,
  };
}
