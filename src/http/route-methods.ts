import type { AnyElysia } from "elysia";

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  /** Whether the route takes every path below a base. */
  readonly isCatchAll: boolean;
}

/** Finds the methods that a path takes, from the routes of an app. Nothing is computed before the first question. */
export class RouteMethods {
  readonly #app: AnyElysia;
  #routes: readonly Route[] | undefined;

  constructor(app: AnyElysia) {
    this.#app = app;
  }

  /** Returns the methods that a request to this path may have, including OPTIONS; none for a path that no route takes. */
  at(path: string): readonly string[] {
    const known = this.known(path);
    return known.length > 0 ? known : toList(this.#matching(path));
  }

  /**
   * Returns the same without the routes that pass on a POST to any path of a model server: they do not show that there is
   * anything at this path, so another method gets 404 there and not 405.
   */
  known(path: string): readonly string[] {
    return toList(this.#matching(path).filter(({ isCatchAll, method }) => !isCatchAll || method !== "POST"));
  }

  #matching(path: string): readonly Route[] {
    // All routes are mounted before the first request comes.
    this.#routes ??= this.#app.routes
      .filter(({ hooks }) => !isRefusal(hooks.detail))
      .map((route) => ({
        method: route.method,
        pattern: toPattern(route.path),
        isCatchAll: route.path.endsWith("/*"),
      }));
    return this.#routes.filter(({ pattern }) => pattern.test(path));
  }
}

const REFUSES = "x-refuses";

/** The `detail` of a route that exists only to refuse its method in another form than the server's. */
export const REFUSAL = { hide: true, [REFUSES]: true };

function isRefusal(detail: object | undefined): boolean {
  return detail !== undefined && REFUSES in detail;
}

function toList(routes: readonly Route[]): readonly string[] {
  const methods = new Set(routes.map(({ method }) => method));
  if (methods.size === 0) return [];
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods.add("OPTIONS")];
}

/** Returns a path with single slashes and none at its end. */
export function normalizePath(path: string): string {
  const single = path.replace(/\/{2,}/g, "/");
  return single.length > 1 && single.endsWith("/") ? single.slice(0, -1) : single;
}

/** Turns a route's path into a pattern: `:name` matches one segment, `*` the rest. */
function toPattern(path: string): RegExp {
  const source = path
    .split("/")
    .map((segment) => (segment === "*" ? ".+" : segment.startsWith(":") ? "[^/]+" : segment.replace(/[^\w-]/g, "\\$&")))
    .join("/");
  return new RegExp(`^${source}$`);
}
