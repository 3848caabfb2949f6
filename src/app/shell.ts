import { type AnyElysia, Elysia } from "elysia";
import { type CorsSettings, createCors } from "../http/cors.ts";
import { answerError, stamp } from "../http/finish.ts";
import { saneRequestId } from "../http/headers.ts";
import type { Listener } from "../http/listener.ts";
import { createNotFound } from "../http/not-found.ts";
import { normalizePath, RouteMethods } from "../http/route-methods.ts";
import { createVisit } from "../http/visit.ts";
import { NO_VISIT } from "../plugin/route-context.ts";
import type { Deps } from "../system/deps.ts";

export interface ShellOptions {
  readonly config: CorsSettings;
  readonly deps: Pick<Deps, "ids" | "log">;
  readonly listener: Listener;
  /** How WebSockets of workers are read. */
  readonly websocket: NonNullable<ConstructorParameters<typeof Elysia>[0]>["websocket"];
  readonly isDraining: () => boolean;
}

/**
 * Creates the instance that all routes are added to. It gives each request its `Visit`, answers preflights and paths that do
 * not exist, writes errors in the shape of the API that was called, and stamps each response with its headers.
 */
export function createShell({ config, deps, listener, websocket, isDraining }: ShellOptions): AnyElysia {
  const cors = createCors(config);
  const elysia: AnyElysia = new Elysia({
    serve: {
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_S,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
    },
    websocket,
  })
    .decorate("visit", NO_VISIT)
    .onRequest((context) => {
      const { request } = context;
      context.visit = createVisit(request, saneRequestId(request.headers) ?? deps.ids.request(), listener);
      return request.method === "OPTIONS" ? answerOptions(request) : undefined;
    })
    .mapResponse(({ responseValue, visit }) => {
      // Every handler returns a Response, except after an upgrade, which leaves undefined.
      if (responseValue instanceof Response) stamp(responseValue, visit, cors, isDraining());
      return responseValue as Response;
    })
    .onError(async ({ error, code, visit }) => {
      const response = await answerError(() => notFound(visit.request), { error, code }, visit.requestId, deps.log);
      stamp(response, visit, cors, isDraining());
      return response;
    });
  const methods = new RouteMethods(elysia);
  const notFound = createNotFound(elysia, methods);
  const answerOptions = (request: Request): Response => {
    const path = URL.parse(request.url)?.pathname;
    return cors.preflight(request, path === undefined ? [] : methods.at(normalizePath(path)));
  };
  return elysia;
}

/**
 * Idle timeout of ordinary routes in seconds; long-lived ones lift it. It ends connections that send a request byte by
 * byte.
 */
const IDLE_TIMEOUT_S = 60;
