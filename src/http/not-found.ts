import type { AnyElysia } from "elysia";
import { Fault } from "../errors.ts";
import { rewriteUrl } from "./original.ts";

/** Thrown by a wildcard route for a path with surplus slashes: without them the path may belong to another route. */
export class UnnormalizedPath extends Error {
  override readonly name = "UnnormalizedPath";
  /** Elysia copies an error's status to the answer that is found in the end, unless it is 200. */
  readonly status = 200;
}

/** Elysia looks for the path from the 12th character of the URL on, so a shorter `http://host` hides every wildcard route. */
const SHORTEST_ORIGIN = 11;

/**
 * Creates the handler of requests that no route took. It tries the same path with single slashes. If there is none it throws
 * `method_not_allowed` for a path that another method serves, else `unknown_url`. Requests that a route took pay nothing.
 */
export function createNotFound(app: AnyElysia): (request: Request) => Promise<Response> | Response {
  let routes: readonly Route[] | undefined;
  return (request) => {
    // A broken Host header makes an invalid URL.
    const url = URL.parse(request.url);
    if (!url) throw new Fault("unknown_url");
    const path = normalizePath(url.pathname);
    if (path !== url.pathname || url.origin.length < SHORTEST_ORIGIN) {
      // No handler reads the host from the URL, so any that is long enough for Elysia will do.
      return app.handle(rewriteUrl(request, `http://rewritten.invalid${path}${url.search}`));
    }
    // All routes are mounted before the first request comes.
    routes ??= app.routes.map(({ method, path: pattern }) => ({ method, pattern: toPattern(pattern) }));
    const methods = new Set(routes.filter((route) => route.pattern.test(path)).map((route) => route.method));
    if (methods.size === 0) throw new Fault("unknown_url");
    if (methods.has("GET")) methods.add("HEAD");
    throw new Fault("method_not_allowed", { headers: { allow: [...methods.add("OPTIONS")].join(", ") } });
  };
}

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
}

/** Turns a route's path into a pattern: `:name` matches one segment, `*` the rest. */
function toPattern(path: string): RegExp {
  const source = path
    .split("/")
    .map((segment) => (segment === "*" ? ".+" : segment.startsWith(":") ? "[^/]+" : segment.replace(/[^\w-]/g, "\\$&")))
    .join("/");
  return new RegExp(`^${source}$`);
}

function normalizePath(path: string): string {
  const single = path.replace(/\/{2,}/g, "/");
  return single.length > 1 && single.endsWith("/") ? single.slice(0, -1) : single;
}
