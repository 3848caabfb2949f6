import { Elysia } from "elysia";
import type { Visit } from "../http/visit.ts";

/** The parts of Elysia's context that this server's handlers use. */
export interface RouteContext {
  readonly visit: Visit;
  /** Path parameters, decoded by Elysia, except `*`, which is as it was sent; undefined on a route without any. */
  readonly params?: Readonly<Record<string, string>>;
}

/** The `visit` of every context until the app's first hook sets the real one. It is frozen because Elysia merges objects. */
export const NO_VISIT: Visit = Object.freeze({
  request: new Request("http://nowhere.invalid/"),
  requestId: "",
  address: () => undefined,
});

/**
 * An instance for routes. The app's first hook sets `visit` in every context; it is declared here for its type.
 * Handlers must name what they take in their parameter (`({ visit, params }) => …`): Elysia reads their source, and for
 * one that passes its context on it parses cookies, query and headers of every request (a tenth of what a small request
 * costs). `server` is left out for that reason too: see `Listener`.
 */
export function createRoutes() {
  return new Elysia().decorate("visit", NO_VISIT);
}
