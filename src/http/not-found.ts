import type { AnyElysia } from "elysia";
import { Fault } from "../errors.ts";
import { rewriteUrl } from "./original.ts";

/** A route's way of saying that the path, once its slashes are put right, may be another one's. */
export class OtherPath extends Error {
  override readonly name = "OtherPath";
  /** Elysia writes an error's status over that of the answer which is found in the end; this one it leaves alone. */
  readonly status = 200;
}

/** Elysia looks for the path from the 12th character of the URL on: a shorter `http://host` hides every wildcard route. */
const SHORTEST_ORIGIN = 11;

/**
 * The second look at a request that no route took: the same path with single slashes, then the question whether
 * another method would do (`method_not_allowed`), else `unknown_url`. It costs nothing to requests found at once.
 */
export function createNotFound(app: AnyElysia): (request: Request) => Promise<Response> | Response {
  let routes: readonly Route[] | undefined;
  return (request) => {
    // A broken Host header makes a URL that is none.
    const url = URL.parse(request.url);
    if (!url) throw new Fault("unknown_url");
    const path = normalizePath(url.pathname);
    if (path !== url.pathname || url.origin.length < SHORTEST_ORIGIN) {
      // The host is only routed on by Elysia's arithmetic; no handler reads it from the URL.
      return app.handle(rewriteUrl(request, `http://rewritten.invalid${path}${url.search}`));
    }
    // All routes are mounted by the time that the first request is not found.
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

/** A route's path as a pattern: `:name` is one segment, `*` the rest. */
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
