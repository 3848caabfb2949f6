import { type AnyElysia, Elysia } from "elysia";
import { createKeyCharges } from "./admin/key-charges.ts";
import { KeyDesk } from "./admin/key-desk.ts";
import { keyRoutes } from "./admin/key-routes.ts";
import { ownKeyRoute } from "./admin/own-key-route.ts";
import { spentLimits } from "./admin/spent-limits.ts";
import { type AuditRecords, AuditTrail } from "./audit/audit.ts";
import { auditRoutes } from "./audit/audit-routes.ts";
import { createMemoryAudit } from "./audit/memory-audit.ts";
import type { AccessChanges, OpenedSide } from "./auth/access-changes.ts";
import { type Access, createAuth } from "./auth/auth.ts";
import type { AccessLists } from "./auth/gates.ts";
import type { IdentityProvider } from "./auth/identity-provider.ts";
import type { KeySources } from "./auth/keys.ts";
import { createSecrets } from "./auth/secrets.ts";
import { shareSignOuts } from "./auth/sign-out-sharing.ts";
import type { SignOutRecords } from "./auth/sign-outs.ts";
import type { SharedSecret } from "./auth/token-keys.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { Config } from "./config.ts";
import type { Fault } from "./errors.ts";
import { EventLoopLag } from "./figures/event-loop-lag.ts";
import { createMetrics, type Metrics } from "./figures/metrics.ts";
import { RecentTimes } from "./figures/recent-times.ts";
import { SlidingSum } from "./figures/sliding-sum.ts";
import { createCors } from "./http/cors.ts";
import { answerError, stamp } from "./http/finish.ts";
import { saneRequestId } from "./http/headers.ts";
import { healthRoutes } from "./http/health.ts";
import { createListener } from "./http/listener.ts";
import { answerMetrics } from "./http/metrics-listener.ts";
import { metricsRoutes } from "./http/metrics-routes.ts";
import { createNotFound } from "./http/not-found.ts";
import { normalizePath, RouteMethods } from "./http/route-methods.ts";
import { createVisit } from "./http/visit.ts";
import type { KeyEntry } from "./keys/key-entry.ts";
import { endFault } from "./keys/key-source.ts";
import type { OpenedKeys } from "./keys/open-keys.ts";
import type { LimitState } from "./limits/allowance.ts";
import { Calendar } from "./limits/calendar.ts";
import { modelRoutes } from "./models/listing.ts";
import { servedFor } from "./models/served-for.ts";
import { openapiRoutes } from "./openapi/routes.ts";
import type { Plugin } from "./plugin/contract.ts";
import type { PluginDefinition } from "./plugin/definition.ts";
import { joinCatalogs } from "./plugin/joined-catalog.ts";
import type { RestrictionRecords } from "./plugin/restrictions.ts";
import { NO_VISIT } from "./plugin/route-context.ts";
import { createSharedSpool } from "./plugin/shared-spool.ts";
import { toSignOutPeers } from "./plugin/sign-out-peers.ts";
import { createPlugins, KNOWN_PLUGINS } from "./plugins.ts";
import { registerClusterMetrics } from "./state/cluster-metrics.ts";
import { ClusterOverview } from "./state/cluster-overview.ts";
import { Overview } from "./state/overview.ts";
import { stateRoutes } from "./state/routes.ts";
import type { Deps } from "./system/deps.ts";
import { VERSION } from "./system/version.ts";
import { LocalSessions } from "./tunnel/local-sessions.ts";
import type { OwnerRecords } from "./tunnel/owners.ts";
import { websocketOptions } from "./tunnel/sockets.ts";
import { EndedUsage } from "./usage/ended-usage.ts";
import type { FailedJobRecords } from "./usage/past-jobs.ts";
import type { UsageRecords } from "./usage/usage-records.ts";
import { usageRoutes } from "./usage/usage-routes.ts";

/** Keeps what must survive a restart. */
export interface Records {
  /** Returns the owners of one plugin's worker ids. Called once for each plugin. */
  owners(pluginId: string): OwnerRecords;
  /** Returns one plugin's drained and blocked worker ids. Called once for each plugin. */
  restrictions(pluginId: string): RestrictionRecords;
  /** Returns the sign-ins that were ended early. Called once. Absent: they are forgotten at a restart. */
  signOuts?(): SignOutRecords;
  /** Returns what was used. Called once. Absent: usage is kept in memory, bounded, until the process ends. */
  readonly usage?: (() => UsageRecords) | undefined;
  /** Returns the requests that failed. Called once. Absent: they are forgotten at a restart. */
  readonly failedJobs?: (() => FailedJobRecords) | undefined;
  /** Returns what operators did. Called once. Absent: it is forgotten at a restart. */
  readonly audit?: (() => AuditRecords) | undefined;
  /** The secret that seals sign-ins and try tokens. Absent: keys of operators seal them. */
  readonly secret?: SharedSecret;
  /** Whether something could not be written and would be lost at a restart. */
  areFailing(): boolean;
}

/** What the server uses of its cluster. */
export type AppCluster = Pick<
  Cluster,
  "ports" | "sights" | "limits" | "judgeOwners" | "takeKeys" | "watch" | "drain" | "close"
>;

/** The outcome of a reload of keys and roles. A refused one has changed nothing. */
export type Reloaded =
  | { readonly ok: true; readonly changes: AccessChanges; readonly disconnected: number }
  | { readonly ok: false; readonly opened: OpenedSide };

/** The server without its listener. */
export interface App {
  /** The fetch-style handler: one request in, one response out. WebSocket upgrades need the listener. */
  handle(request: Request): Promise<Response>;
  /** The same for the separate listener of `/metrics`. */
  handleMetrics(request: Request): Promise<Response>;
  /** The Elysia instance, for `listen`. */
  readonly elysia: AnyElysia;
  readonly plugins: readonly Plugin[];
  readonly metrics: Metrics;
  /** Who is let in. */
  readonly access: Access;
  /** Takes over the keys and roles of another configuration. Returns what has changed, for the log. */
  reload(next: AccessLists): Reloaded;
  /** Whether another server of the cluster takes this one's requests and workers. */
  hasSuccessor(): boolean;
  /** Reports by `/healthz` that another server should get the requests, sends workers to it, and goes on serving. */
  handOver(): void;
  /** Resolves when no request waits for a worker. */
  noneWaits(): Promise<void>;
  /** Stops accepting jobs and workers; resolves when the last job has ended. */
  drain(): Promise<void>;
  /** Ends the remaining sessions, streams and timers. */
  close(): void;
}

/**
 * Builds the whole server from its configuration and ports. It does not listen, and reads nothing from its environment.
 * `known` are the plugins that the configuration was loaded with; `keys` are looked up in place of those that it lists;
 * without `records` nothing is kept over a restart, and without `cluster` this server is the only one. `opened` are the keys
 * beside those of the configuration, and `identity` is the issuer by which operators sign in. The caller that has started the
 * cluster closes it after the app.
 */
export function createApp(
  config: Config,
  deps: Deps,
  known: readonly PluginDefinition[] = KNOWN_PLUGINS,
  keys?: KeySources,
  records?: Records,
  cluster?: AppCluster,
  opened?: OpenedKeys,
  identity?: IdentityProvider,
): App {
  const firstBytes = new RecentTimes();
  const authFailures = new SlidingSum();
  const lag = new EventLoopLag();
  const metrics = createMetrics(VERSION, firstBytes, lag);
  const listener = createListener(() => elysia.server);
  const usage = new EndedUsage({
    clock: deps.clock,
    flushMs: config.usageFlushMs,
    usage: records?.usage?.(),
    failedJobs: records?.failedJobs?.(),
  });
  const audit = new AuditTrail(deps.clock, records?.audit?.() ?? createMemoryAudit());
  const auth = createAuth(config, deps, {
    idleTimeouts: listener,
    keys,
    made: opened?.book.sources,
    secret: records?.secret,
    signOutRecords: records?.signOuts?.(),
    elsewhere: cluster?.limits,
    audit,
    identity,
    onFailure: (surface) => {
      metrics.authFailure(surface);
      authFailures.add(1, deps.clock.elapsed());
    },
  });
  if (cluster) shareSignOuts(auth.signOuts, toSignOutPeers(cluster.ports), () => deps.clock.now());
  cluster?.judgeOwners(auth.workers.isOwner);
  const { serverId } = config;
  const sessions = new LocalSessions({
    deps,
    serverId,
    limits: config,
    isOwner: auth.workers.isOwner,
    ownerRecords: records?.owners,
    watch: cluster && ((pluginId) => cluster.watch(pluginId)),
  });
  const book = opened?.book;
  const endRequests = (): void => {
    const judge = (keyId: string): Fault | undefined => endFault(book?.get(keyId), deps.clock.now());
    for (const { lifecycle } of plugins) lifecycle?.endRequests?.(judge);
  };
  book?.onChange((event) => {
    if (event.isFirst) auth.refresh();
    if (event.entry.kind === "worker" && (event.isFirst || event.kind !== "created")) sessions.closeDisowned();
    if (event.entry.kind === "client" && event.kind !== "created") endRequests();
  });
  // After the requests of a revoked key have ended, so that losing its limits lets none of them go on.
  const charges = book && createKeyCharges(book, deps.clock, usage.meter);
  // A revocation is told at once. An expiry is not, so somebody has to look.
  const stopLooking = book && deps.clock.every(EXPIRY_LOOK_MS, () => void sessions.closeDisowned());
  const stopEnding = book && deps.clock.every(REQUESTS_LOOK_MS, endRequests);
  const plugins = createPlugins(known, {
    config,
    deps,
    auth,
    metrics,
    listener,
    sessions,
    restrictionRecords: records?.restrictions,
    secretFor: createSecrets({ shared: records?.secret, cluster: cluster && config, random: deps.ids.secret }),
    endedRequests: usage,
    charges,
    cluster: cluster?.ports,
    version: VERSION,
    spoolSpace: createSharedSpool(config, metrics),
  });
  const catalog = joinCatalogs(plugins);
  const cors = createCors(config);
  let isDraining = false;
  const sights = cluster?.sights;
  const calls = cluster?.ports.calls;
  const overview = new Overview({
    config,
    access: auth,
    clock: deps.clock,
    log: deps.log,
    plugins,
    version: VERSION,
    firstBytes,
    authFailures,
    isDraining: () => isDraining,
    areRecordsFailing: () => records?.areFailing() ?? false,
    keysFileProblem: () => opened?.file?.problem,
    identityProblem: () => identity?.problem,
    cluster: sights && calls && ((own) => new ClusterOverview(sights.reports, { ...deps, calls }, own)),
  });
  const state = stateRoutes({
    config,
    deps,
    auth,
    audit,
    listener,
    plugins,
    version: VERSION,
    overview,
    states: sights?.states,
    cluster: cluster?.ports,
  });
  overview.start(() => state.viewers);
  if (sights) {
    const withPeers = config.metricsListener !== undefined;
    registerClusterMetrics({ metrics, reports: sights.reports, clock: deps.clock, withPeers });
  }
  const stopMeasuring = lag.start(deps.clock);

  const elysia: AnyElysia = new Elysia({
    serve: {
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_S,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
    },
    websocket: websocketOptions(
      Math.max(0, ...plugins.map((plugin) => plugin.maxMessageBytes ?? 0)),
      config.legacyBodyBytes,
    ),
  })
    .decorate("visit", NO_VISIT)
    .onRequest((context) => {
      const { request } = context;
      context.visit = createVisit(request, saneRequestId(request.headers) ?? deps.ids.request(), listener);
      return request.method === "OPTIONS" ? answerOptions(request) : undefined;
    })
    .mapResponse(({ responseValue, visit }) => {
      // Every handler returns a Response, except after an upgrade, which leaves undefined.
      if (responseValue instanceof Response) stamp(responseValue, visit, cors, isDraining);
      return responseValue as Response;
    })
    .onError(async ({ error, code, visit }) => {
      const response = await answerError(() => notFound(visit.request), { error, code }, visit.requestId, deps.log);
      stamp(response, visit, cors, isDraining);
      return response;
    });

  const methods = new RouteMethods(elysia);
  const notFound = createNotFound(elysia, methods);
  const answerOptions = (request: Request): Response => {
    const path = URL.parse(request.url)?.pathname;
    return cors.preflight(request, path === undefined ? [] : methods.at(normalizePath(path)));
  };
  elysia.use(healthRoutes(() => isDraining, overview.cluster && (() => overview.cluster?.health())));
  if (config.metricsListener === undefined) elysia.use(metricsRoutes(metrics));
  elysia.use(
    openapiRoutes({
      version: VERSION,
      tags: plugins.flatMap(({ tags }) => tags ?? []),
      served: (request) => servedFor(auth, catalog, createVisit(request, deps.ids.request(), listener)),
    }),
  );
  elysia.use(state.routes);
  const spent = { clock: deps.clock, calendar: new Calendar(), meter: usage.meter };
  const limitStates = (entry: KeyEntry): readonly LimitState[] =>
    charges?.allowances.of(entry.id)?.states() ?? spentLimits(entry, spent);
  const desk = new KeyDesk({ book, isKept: opened?.isKept ?? false, audit });
  elysia.use(keyRoutes({ auth, clock: deps.clock, desk, limitStates }));
  elysia.use(ownKeyRoute({ auth, book, limitStates }));
  elysia.use(usageRoutes({ auth, clock: deps.clock, usage, nameOfKey: (key) => book?.get(key)?.name }));
  elysia.use(auditRoutes(audit, auth));
  for (const plugin of plugins) elysia.use(plugin.routes);
  elysia.use(
    modelRoutes({
      prefix: "/v1",
      tag: "Models",
      catalog: () => catalog,
      ask: (visit) => auth.ask(visit, "api"),
    }),
  );

  return {
    handle: (request) => elysia.handle(request),
    handleMetrics: (request) => answerMetrics(request, metrics, deps.ids.request),
    elysia,
    plugins,
    metrics,
    access: auth,
    reload(next) {
      const reload = auth.reload(next);
      if (reload.ok) cluster?.takeKeys(next);
      return reload.ok ? { ...reload, disconnected: sessions.closeDisowned() } : reload;
    },
    hasSuccessor: () => cluster?.ports.members.isAnyReady() ?? false,
    handOver() {
      isDraining = true;
      cluster?.drain();
      for (const { lifecycle } of plugins) lifecycle?.handOver?.();
    },
    async noneWaits() {
      await Promise.all(plugins.map(({ lifecycle }) => lifecycle?.noneWaits?.()));
    },
    async drain() {
      isDraining = true;
      cluster?.drain();
      state.close();
      await Promise.all(plugins.map(({ lifecycle }) => lifecycle?.drain()));
    },
    close() {
      stopMeasuring();
      stopLooking?.();
      stopEnding?.();
      opened?.file?.stop();
      identity?.close();
      overview.stop();
      state.close();
      for (const { lifecycle } of plugins) lifecycle?.close();
      usage.close();
    },
  };
}

/**
 * Idle timeout of ordinary routes in seconds; long-lived ones lift it. It ends connections that send a request byte by
 * byte.
 */
const IDLE_TIMEOUT_S = 60;

/** How long the session of a worker may outlive its key's expiry. Looking at thousands of sessions takes a millisecond. */
const EXPIRY_LOOK_MS = 5000;

/** How long a request may outlive its key's expiry. */
const REQUESTS_LOOK_MS = 1000;
