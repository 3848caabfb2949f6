import type { AnyElysia } from "elysia";
import { PromptAffinity } from "../../affinity/prompt-affinity.ts";
import type { Caller } from "../../auth/caller.ts";
import { Fault } from "../../errors.ts";
import { UnnormalizedPath } from "../../http/not-found.ts";
import { isPathSegment } from "../../http/path-segment.ts";
import type { Visit } from "../../http/visit.ts";
import { modelRoutes } from "../../models/listing.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { ModelCatalog, PluginContext } from "../../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../../plugin/route-context.ts";
import { toLegacyId } from "../../tunnel/legacy-id.ts";
import { registerAffinity } from "./affinity-metrics.ts";
import { anthropicResponse, isMessagesPath } from "./anthropic-error.ts";
import { CacheSalts } from "./cache-salt.ts";
import { DOCUMENTED_PATHS } from "./documented-routes.ts";
import { anyPathDetail, INFERENCE, postDocs } from "./openapi.ts";
import { serveLlm } from "./serve.ts";
import type { llmSettings } from "./settings.ts";

/** The base URLs of OpenAI's API. Most clients add the second to a host that is given alone; the third is for one worker. */
const BASES = ["/api/llm/v1", "/v1", "/api/llm/id/:worker_id/v1"];

/** The routes that clients call. */
export function llmRoutes(area: ModelArea, context: PluginContext<typeof llmSettings>): AnyElysia {
  const { auth, config, deps, metrics, secretFor, cluster } = context;
  const salts = new CacheSalts(secretFor("cache-salts"));
  const prompts = new PromptAffinity(() => deps.clock.elapsed(), secretFor("prompts"), cluster?.prefixesOf("llm"));
  registerAffinity(metrics, prompts);
  area.coldCaches.watch(() => prompts.facts().cold);
  const ask = (visit: Visit): Caller => auth.ask(visit, "api");

  const serve = (ctx: RouteContext, path: string): Promise<Response> => {
    const { visit } = ctx;
    const caller = auth.enter(visit, "api");
    return serveLlm(
      { area, config, deps, metrics, salts, prompts },
      { visit, caller, path, search: searchOf(visit.request.url), workerId: workerIdOf(ctx) },
    );
  };

  /** Answers as Anthropic's API does where it differs: the form of errors, and the header of the request id. */
  const serveMessages = async (ctx: RouteContext, path: string): Promise<Response> => {
    const { requestId } = ctx.visit;
    try {
      const response = await serve(ctx, path);
      response.headers.set("request-id", requestId);
      return response;
    } catch (error) {
      if (error instanceof Fault) return anthropicResponse(error, requestId);
      throw error;
    }
  };
  const serveAny = (ctx: RouteContext, path: string): Promise<Response> =>
    isMessagesPath(path) ? serveMessages(ctx, path) : serve(ctx, path);

  const routes = createRoutes();
  for (const base of BASES) {
    for (const path of DOCUMENTED_PATHS) {
      routes.post(`${base}${path}`, ({ visit, params }) => serveAny({ visit, params }, path), {
        parse: "none",
        ...postDocs(base, path),
      });
    }
    routes.post(
      `${base}/*`,
      ({ visit, params }) => {
        // Without its surplus slashes the path may belong to another plugin; the not-found handler will try that.
        if (/^\/|\/\/|\/$/.test(params["*"])) throw new UnnormalizedPath();
        const path = cleanPath(params["*"]);
        // The lists of models are Moorage's own, and read-only.
        if (/^\/models(?:\/|$)/.test(path))
          throw new Fault("method_not_allowed", { headers: { allow: "GET, HEAD, OPTIONS" } });
        // Any path passes, because backends have JSON routes of their own. A form is meant for a route that is not mounted.
        if (isForm(visit.request)) {
          ask(visit);
          throw new Fault("unknown_url", { message: NO_FORM_ROUTE });
        }
        return serveAny({ visit, params }, path);
      },
      { parse: "none", detail: anyPathDetail(base) },
    );
  }
  // Cohere's clients and some of vLLM's call these below the server's address, or below any of its base URLs.
  for (const base of ["", "/api/llm", "/v1", "/api/llm/v1"]) {
    for (const path of ["/rerank", "/v2/rerank"]) {
      if (path === "/rerank" && base.endsWith("/v1")) continue;
      routes.post(`${base}${path}`, ({ visit, params }) => serve({ visit, params }, "/rerank"), {
        parse: "none",
        detail: { hide: true },
      });
    }
  }
  return routes.use(
    modelRoutes({
      prefix: "/api/llm/id/:worker_id/v1",
      tag: INFERENCE.name,
      catalog: (ctx) => workerCatalog(area, ctx),
      ask,
    }),
  );
}

function workerCatalog(area: ModelArea, ctx: RouteContext): ModelCatalog {
  const workerId = workerIdOf(ctx) ?? "";
  const servedFor = (tenant: string | undefined): ReadonlySet<string> => {
    const models = area.pool.models.ofWorker(workerId, tenant);
    if (!models) throw new Fault("worker_not_found", { param: "worker_id" });
    return new Set(models);
  };
  return {
    models(tenant) {
      const served = servedFor(tenant);
      return area.models(tenant).filter((card) => served.has(card.id));
    },
    find(name, tenant) {
      servedFor(tenant);
      return area.find(name, tenant, workerId);
    },
  };
}

function workerIdOf(ctx: RouteContext): string | undefined {
  const id = ctx.params?.["worker_id"];
  // A client may use the id that a legacy agent chose, before it was mapped.
  return id === undefined ? undefined : toLegacyId(id);
}

const NO_FORM_ROUTE =
  "No route at this path takes a form. GET /api/client/ lists the routes; the server's setting PLUGINS may leave some out.";

function isForm({ headers }: Request): boolean {
  return /^multipart\/form-data\b/i.test(headers.get("content-type") ?? "");
}

function searchOf(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? "" : url.slice(at);
}

/**
 * Percent-encoded letters, digits and marks that need no encoding (RFC 3986 §2.3), slashes and zero bytes. A backend that
 * decodes them would see another path than the one that the server has checked.
 */
const NEEDLESS_ENCODING = /%(?:2[def5]|3[0-9]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9ae]|00)/i;

/**
 * Returns the backend path that a wildcard matched: single slashes, none at the end, and nothing that could leave the
 * backend's base.
 */
function cleanPath(rest: string): string {
  const segments = rest.split("/").filter((segment) => segment !== "");
  const isSafe = segments.every((segment) => isPathSegment(segment) && !NEEDLESS_ENCODING.test(segment));
  if (segments.length === 0 || !isSafe) throw new Fault("unknown_url");
  return `/${segments.join("/")}`;
}
