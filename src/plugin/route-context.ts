import { Elysia } from "elysia";

/** What this server's handlers take from Elysia's context. */
export interface RouteContext {
  readonly request: Request;
  readonly requestId: string;
  /** Path parameters, decoded by Elysia, but for `*`, which is as it was sent; undefined on a route without any. */
  readonly params?: Readonly<Record<string, string>>;
}

/**
 * An instance for routes. The app's first hook sets `requestId` in every context; it is declared here for its type.
 * Handlers must name what they take in their parameter (`({ request, params }) => …`): Elysia reads their source, and
 * for one that passes its context on it parses cookies, query and headers of every request (a tenth of what a small
 * request costs). `server` is left out for that reason too: see `Listener`.
 */
export function createRoutes() {
  return new Elysia().decorate("requestId", "");
}
