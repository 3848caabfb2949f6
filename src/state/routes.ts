import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { Keeping } from "../../views/keys.tsx";
import { laterSections } from "../../views/sections.tsx";
import type { Audit } from "../audit/audit.ts";
import type { Auth } from "../auth/auth.ts";
import type { Config } from "../config.ts";
import { drainingFault, Fault } from "../errors.ts";
import type { Listener } from "../http/listener.ts";
import { originalOf } from "../http/original.ts";
import { shownAs } from "../openapi/document.ts";
import { errorResponses, jsonAnswer, rawAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { EndedJobs } from "../plugin/details.ts";
import type { PeerReadings } from "../plugin/peer-readings.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Deps } from "../system/deps.ts";
import { KeyMask } from "../system/key-mask.ts";
import { actionRoutes } from "./action-routes.ts";
import { type Assets, lazyAssets } from "./assets.ts";
import type { PeerStates } from "./cluster-facts.ts";
import { clusterStateSchema } from "./cluster-schema.ts";
import { detailRoutes } from "./detail-routes.ts";
import type { LetIn } from "./oidc-routes.ts";
import type { Overview } from "./overview.ts";
import { historySchema, serverStateSchema } from "./overview-schema.ts";
import { packedJson } from "./page.ts";
import { pageRoutes } from "./page-routes.ts";
import { Viewpoints } from "./viewpoints.ts";

export interface StateOptions {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: Auth;
  /** Writes down what operators do; undefined if nobody does. */
  readonly audit?: Audit | undefined;
  readonly listener: Listener;
  readonly plugins: readonly Plugin[];
  readonly version: string;
  /** Whether the server makes keys; it has none unless given. */
  readonly keeping?: Keeping;
  /** The caller that created it starts and stops it. */
  readonly overview: Overview;
  /** The states of other servers; absent without a cluster. */
  readonly states?: PeerStates | undefined;
  /** The way to other servers; absent without a cluster. */
  readonly cluster?: ClusterPorts | undefined;
  /** The jobs that have ended; absent where nobody remembers them. */
  readonly ended?: EndedJobs | undefined;
  /** Reads what the other servers keep; absent without a cluster. */
  readonly readings?: PeerReadings | undefined;
  /** Returns the files that pages load; the pages read them themselves unless given. */
  readonly assets?: (() => Assets) | undefined;
  /** See `OidcRouteOptions`. */
  readonly letIn?: LetIn | undefined;
}

export interface StateApi {
  readonly routes: AnyElysia;
  /** Open streams. */
  readonly viewers: number;
  /** Ends all streams and opens no more. */
  close(): void;
}

/** How many streams may be open. Each holds a connection and at most one unread envelope. */
const MAX_VIEWERS = 1000;

const envelopeSchema = v.pipe(
  v.object({
    server: serverStateSchema,
    cluster: v.optional(clusterStateSchema),
    plugins: v.pipe(
      v.record(v.string(), v.looseObject({})),
      v.description("Each plugin's state under its id; its shape is the plugin's own."),
    ),
  }),
  v.description("The state of the server and of every plugin."),
);

/** The State API, and the page at `/state` that shows it. */
export function stateRoutes(options: StateOptions): StateApi {
  const { config, deps, auth, listener, plugins, overview } = options;
  const { mask = new KeyMask() } = deps;
  const viewpoints = new Viewpoints({
    deps,
    serverId: config.serverId,
    plugins,
    overview,
    states: options.states,
    keepaliveMs: config.keepaliveIntervalMs,
    stallMs: config.clientStallTimeoutMs,
    maxViewers: MAX_VIEWERS,
  });
  const sections = laterSections(
    plugins,
    {
      keeping: options.keeping ?? "none",
      hasGrants: plugins.some(({ connectors }) => connectors !== undefined),
    },
    () => ({
      version: options.version,
      publicUrl: config.publicUrl,
      hasKeys: !auth.isOpen("api"),
      isOpenToWorkers: auth.isWorkerOpen,
    }),
  );
  /** Returns the markup of a section of the page, or of a plugin by itself. */
  const fragment = (id: string): string | undefined =>
    sections.find((section) => section.id === id)?.render() ??
    plugins.find((plugin) => plugin.id === id)?.section?.render();
  const idSchema = { type: "string" as const, example: plugins[0]?.id };
  const detail = { tags: ["State"], security: STATE_SECURITY };

  const routes = createRoutes()
    .get(
      "/api/state",
      async ({ visit }) => {
        auth.operators.read(visit);
        return new Response(await viewpoints.snapshot(serverNamedBy(visit.request)), {
          headers: { "content-type": "application/json", "cache-control": "no-store" },
        });
      },
      {
        detail: {
          ...detail,
          summary: "Snapshot of the server's state",
          description:
            "With `server`, the state of another server of the cluster, which is asked for it. It then has a field `relayed` with the time of the state and, if it is not current, since when. With `server=all`, the states of all servers under `servers`, by their ids; one that has not answered has null for `server`.",
          parameters: [SERVER_PARAMETER],
          responses: {
            200: jsonAnswer(envelopeSchema),
            ...errorResponses("invalid_api_key", "too_many_auth_failures", "server_not_found", "server_not_answering"),
          },
        },
      },
    )
    .get(
      "/api/state/history",
      ({ visit }) => {
        auth.operators.read(visit);
        const history = viewpoints.history(serverNamedBy(visit.request));
        return packedJson(visit.request, history);
      },
      {
        detail: {
          ...detail,
          summary: "History of the last quarter of an hour",
          description:
            "Data for plots; the stream's envelopes continue where the history ends. Each server also keeps the history of the others, made of what they tell each second, so it is there for a server that has died, and asks them once for the time before. With `server=all`, the servers are added up.",
          parameters: [SERVER_PARAMETER],
          responses: {
            200: jsonAnswer(historySchema),
            ...errorResponses("invalid_api_key", "too_many_auth_failures", "server_not_found"),
          },
        },
      },
    )
    .get(
      "/api/state/stream",
      ({ visit }) => {
        const access = auth.operators.read(visit);
        if (viewpoints.isClosed) throw drainingFault();
        if (viewpoints.isFull) throw new Fault("too_many_connections", { retryAfterS: 30 });
        // The body of an answer to HEAD is never read, and its viewer would stay.
        if (originalOf(visit.request).method === "HEAD") return new Response(null, { headers: STREAM_HEADERS });
        listener.liftIdleTimeout(visit.request);
        const restore = (): void => listener.restoreIdleTimeout(visit.request);
        const stream = viewpoints.stream(serverNamedBy(visit.request), access.isCurrent, restore);
        return new Response(stream, { headers: STREAM_HEADERS });
      },
      {
        detail: {
          ...detail,
          summary: "Stream of the server's state",
          description:
            "Sends an envelope at once, then at most one per second, only after changes. Comments keep it alive. `server` is as for the snapshot; a stream goes on when the server that it shows stops answering.",
          parameters: [SERVER_PARAMETER],
          responses: {
            200: rawAnswer(
              "text/event-stream",
              "One `data:` line with an envelope per event.",
              'data: {"server":{},"plugins":{}}\n\n',
            ),
            ...errorResponses(
              "invalid_api_key",
              "too_many_auth_failures",
              "server_not_found",
              "too_many_connections",
              "draining",
            ),
          },
        },
      },
    )
    .get(
      "/api/state/view/:file",
      ({ visit, params }) => {
        auth.operators.read(visit);
        const html = params.file.endsWith(".html") ? fragment(params.file.slice(0, -".html".length)) : undefined;
        if (html === undefined)
          throw new Fault("unknown_url", { message: "No section of this dashboard has this name." });
        return new Response(html, { headers: FRAGMENT_HEADERS });
      },
      {
        detail: shownAs("/api/state/view/{id}.html", {
          ...detail,
          summary: "A fragment of the dashboard",
          parameters: [
            {
              name: "id",
              in: "path",
              required: true,
              schema: idSchema,
              description: "The id of a section, such as `workers` or `keys`, or of a plugin.",
            },
          ],
          responses: {
            200: rawAnswer("text/html", "HTML that the dashboard fills from the envelope."),
            ...errorResponses("invalid_api_key", "unknown_url", "too_many_auth_failures"),
          },
        }),
      },
    )
    .use(detailRoutes({ auth, plugins, ended: options.ended, readings: options.readings }))
    .use(actionRoutes({ auth, audit: options.audit, log: deps.log, mask, plugins, cluster: options.cluster }))
    .use(
      pageRoutes({
        ...options,
        assets: options.assets ?? lazyAssets(),
        sections,
        server: () => overview.state(viewpoints.viewers),
        cluster: () => overview.cluster?.state(),
      }),
    );
  return {
    routes,
    get viewers() {
      return viewpoints.viewers;
    },
    close: () => viewpoints.close(),
  };
}

const SERVER_PARAMETER = {
  name: "server",
  in: "query",
  schema: { type: "string" },
  description: "The id of a server of the cluster, or `all`. Without it, the server that answers.",
} as const;

function serverNamedBy(request: Request): string | null {
  return URL.parse(request.url)?.searchParams.get("server") ?? null;
}

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // Otherwise nginx and compressing proxies would hold events back until a buffer is full.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

const FRAGMENT_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  // A fragment is meant for the dashboard; opened by itself it loads and runs nothing.
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "x-content-type-options": "nosniff",
};
