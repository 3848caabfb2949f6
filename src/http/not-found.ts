import type { AnyElysia } from "elysia";
import { Fault } from "../errors.ts";
import { rewriteUrl } from "./original.ts";
import { normalizePath, type RouteMethods } from "./route-methods.ts";

/** Thrown by a wildcard route for a path with surplus slashes: without them the path may belong to another route. */
export class UnnormalizedPath extends Error {
  override readonly name = "UnnormalizedPath";
  /** Elysia copies an error's status to the answer that is found in the end, unless it is 200. */
  readonly status = 200;
}

/**
 * Elysia looks for the path from the 12th character of the URL on, so a shorter `http://host` hides every wildcard route.
 */
const SHORTEST_ORIGIN = 11;

/**
 * Creates the handler of requests that no route took. It tries the same path with single slashes. If there is none it throws
 * `method_not_allowed` for a path that another method serves, else `unknown_url`. Requests that a route took pay nothing.
 */
export function createNotFound(
  app: AnyElysia,
  methods: RouteMethods,
): (request: Request) => Promise<Response> | Response {
  return (request) => {
    // A broken Host header makes an invalid URL.
    const url = URL.parse(request.url);
    if (!url) throw new Fault("unknown_url");
    const path = normalizePath(url.pathname);
    if (path !== url.pathname || url.origin.length < SHORTEST_ORIGIN) {
      // No handler reads the host from the URL, so any that is long enough for Elysia will do.
      return app.handle(rewriteUrl(request, `http://rewritten.invalid${path}${url.search}`));
    }
    const known = methods.known(path);
    if (known.length === 0) throw new Fault("unknown_url");
    throw new Fault("method_not_allowed", { headers: { allow: known.join(", ") } });
  };
}
