import { createJoinDesk } from "./admin/joining.ts";
import type { AppParts } from "./app/app-parts.ts";
import type { App } from "./app/contract.ts";
import { createJoin } from "./app/join.ts";
import { createProgramAccess } from "./app/program-access.ts";
import { createShell } from "./app/shell.ts";
import { Teams } from "./app/teams.ts";
import { AuditTrail } from "./audit/audit.ts";
import { createMemoryAudit } from "./audit/memory-audit.ts";
import { createProxies } from "./auth/addresses.ts";
import { createAuth } from "./auth/auth.ts";
import { configuredSecrets } from "./auth/configured-secrets.ts";
import { createSecrets } from "./auth/secrets.ts";
import { shareSignOuts } from "./auth/sign-out-sharing.ts";
import type { Config } from "./config.ts";
import { EventLoopLag } from "./figures/event-loop-lag.ts";
import { createMetrics } from "./figures/metrics.ts";
import { RecentTimes } from "./figures/recent-times.ts";
import { SlidingSum } from "./figures/sliding-sum.ts";
import { frontRoutes } from "./front/routes.ts";
import { healthRoutes } from "./http/health.ts";
import { createListener } from "./http/listener.ts";
import { answerMetrics } from "./http/metrics-listener.ts";
import { metricsRoutes } from "./http/metrics-routes.ts";
import { createVisit } from "./http/visit.ts";
import { heirOf } from "./keys/heirs.ts";
import { fileDigestOf, type OpenedKeys } from "./keys/open-keys.ts";
import { areShared } from "./keys/shared-keys.ts";
import { modelRoutes } from "./models/listing.ts";
import { servedFor } from "./models/served-for.ts";
import { openapiRoutes } from "./openapi/routes.ts";
import { joinCatalogs } from "./plugin/joined-catalog.ts";
import { createSharedSpool } from "./plugin/shared-spool.ts";
import { toSignOutPeers } from "./plugin/sign-out-peers.ts";
import { createPlugins, KNOWN_PLUGINS } from "./plugins.ts";
import { lazyAssets } from "./state/assets.ts";
import { registerClusterMetrics } from "./state/cluster-metrics.ts";
import { ClusterOverview } from "./state/cluster-overview.ts";
import { Overview } from "./state/overview.ts";
import { page } from "./state/page.ts";
import { stateRoutes } from "./state/routes.ts";
import type { Deps } from "./system/deps.ts";
import { KeyMask } from "./system/key-mask.ts";
import { VERSION } from "./system/version.ts";
import { LocalSessions } from "./tunnel/local-sessions.ts";
import { websocketOptions } from "./tunnel/sockets.ts";

/** Builds the whole server from its configuration and ports. It does not listen, and reads nothing from its environment. */
export function createApp(config: Config, deps: Deps, parts: AppParts = {}): App {
  const { known = KNOWN_PLUGINS, configuredKeys, keys, records, cluster, identity } = parts;
  const { clock } = deps;
  const firstBytes = new RecentTimes();
  const authFailures = new SlidingSum();
  const lag = new EventLoopLag();
  const metrics = createMetrics(VERSION, firstBytes, lag);
  const listener = createListener(() => elysia.server);
  const { mask = new KeyMask() } = deps;
  mask.setKeys(configuredSecrets(config));
  const audit = new AuditTrail(clock, records?.audit?.() ?? createMemoryAudit(), mask);
  let isDraining = false;

  const auth = createAuth(config, deps, {
    idleTimeouts: listener,
    keys: configuredKeys,
    made: keys?.book.sources,
    secret: records?.secret,
    signOutRecords: records?.signOuts?.(),
    elsewhere: cluster?.limits,
    audit,
    identity,
    joining:
      keys &&
      createJoinDesk({
        ...deps,
        keys,
        audit,
        writer: () => teams.writer,
        isFailing: () => !areShared(keys.shared) && records?.areFailing() === true,
      }),
    connectorTokens: () => access.oauth,
    onFailure: (surface) => {
      metrics.authFailure(surface);
      authFailures.add(1, clock.elapsed());
    },
  });
  if (cluster) shareSignOuts(auth.signOuts, toSignOutPeers(cluster.ports), () => clock.now());
  const ownerNow = (owner: string): string => (keys ? heirOf(keys.book, owner) : owner);
  cluster?.judgeOwners(auth.workers.isOwner, ownerNow);
  const sessions = new LocalSessions({
    deps,
    serverId: config.serverId,
    limits: config,
    isOwner: auth.workers.isOwner,
    heirOf: ownerNow,
    ownerRecords: records?.owners,
    watch: cluster && ((pluginId) => cluster.watch(pluginId)),
  });
  if (cluster && keys?.file) tellKeysFile(keys, (digest) => cluster.takeKeysFile(digest));
  const { usageFlushMs, mcpCallsKept } = config;
  const shared = { clock, log: deps.log, auth, audit, keys, records, cluster, sessions, plugins: () => plugins };
  const teams = new Teams({ ...shared, mask, usageFlushMs, mcpCallsKept });

  const plugins = createPlugins(known, {
    config,
    deps: { ...deps, mask },
    auth,
    metrics,
    listener,
    sessions,
    restrictionRecords: records?.restrictions,
    secretFor: createSecrets({
      shared: records?.secret,
      cluster: cluster && { ...config, fileDigest: keys?.book.fileDigest() },
      random: deps.ids.secret,
    }),
    endedRequests: teams.usage,
    endedCalls: mcpCallsKept > 0 ? teams.calls : undefined,
    charges: teams.charges,
    cluster: cluster?.ports,
    readings: teams.readings,
    keyHolders: () => teams.keyHolders(),
    version: VERSION,
    spoolSpace: createSharedSpool(config, metrics),
  });
  const catalog = joinCatalogs(plugins);
  const access = createProgramAccess({
    config,
    deps,
    auth: () => auth,
    audit,
    nameOfKey: (id) => keys?.book.get(id)?.name,
    relays: () => plugins.find(({ connectors }) => connectors)?.connectors,
    keep: records?.oauth?.(),
    shared: cluster?.oauth,
  });

  const sights = cluster?.sights;
  const calls = cluster?.ports.calls;
  const overview = new Overview({
    config,
    access: auth,
    clock,
    log: deps.log,
    plugins,
    version: VERSION,
    firstBytes,
    authFailures,
    isDraining: () => isDraining,
    areRecordsFailing: () => records?.areFailing() ?? false,
    keysFileProblem: () => keys?.file?.problem,
    keysAway: () => teams.keysAway(),
    identityProblem: () => identity?.problem,
    cluster: sights && calls && ((own) => new ClusterOverview(sights.reports, { ...deps, calls }, own)),
  });
  const { states } = sights ?? {};
  const ports = cluster?.ports;
  const shown = {
    config,
    deps: { ...deps, mask },
    auth,
    audit,
    listener,
    plugins,
    version: VERSION,
    overview,
    states,
    cluster: ports,
    ended: teams.usage,
    readings: teams.readings,
  };
  const keeping = keys?.isKept === true ? "made" : keys ? "file" : "none";
  const assets = lazyAssets();
  const state = stateRoutes({ ...shown, keeping, assets, letIn: access.letIn(() => assets().page) });
  overview.start(() => state.viewers);
  if (sights) {
    const withPeers = config.metricsListener !== undefined;
    registerClusterMetrics({ metrics, reports: sights.reports, clock, keys: () => teams.keysState(), withPeers });
  }
  const stopMeasuring = lag.start(clock);

  const maxMessageBytes = Math.max(0, ...plugins.map((plugin) => plugin.maxMessageBytes ?? 0));
  const websocket = websocketOptions(maxMessageBytes, config.legacyBodyBytes);
  const elysia = createShell({ config, deps, listener, websocket, isDraining: () => isDraining });
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
  elysia.use(
    frontRoutes({
      version: VERSION,
      publicUrl: config.publicUrl,
      proxies: createProxies(config.trustedProxies),
      hasKeys: () => !auth.isClientOpen,
      assets: () => assets().page,
      page,
    }),
  );
  elysia.use(createJoin({ config, deps, auth, plugins, makesTokens: keeping === "made", assets, pack: parts.pack }));
  for (const routes of teams.routes()) elysia.use(routes);
  for (const plugin of plugins) elysia.use(plugin.routes);
  if (plugins.some(({ connectors }) => connectors)) elysia.use(access.routes(() => assets().page));
  elysia.use(
    modelRoutes({ prefix: "/v1", tag: "Models", catalog: () => catalog, ask: (visit) => auth.ask(visit, "api") }),
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
      if (reload.ok) {
        mask.setKeys(configuredSecrets({ ...config, ...next }));
        cluster?.takeKeys(next);
      }
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
      access.oauth.close();
      identity?.close();
      overview.stop();
      state.close();
      for (const { lifecycle } of plugins) lifecycle?.close();
      teams.close();
    },
  };
}

/**
 * Tells the other servers, now and after each change, which keys file this one has, so that different ones are noticed. The
 * changes of one version of the file are told together, because a file may have 10,000 keys.
 */
function tellKeysFile(
  { book, tenants }: Pick<OpenedKeys, "book" | "tenants">,
  tell: (digest: string | undefined) => void,
): void {
  let isToTell = false;
  const changed = (): void => {
    if (isToTell) return;
    isToTell = true;
    queueMicrotask(() => {
      isToTell = false;
      tell(fileDigestOf({ book, tenants }));
    });
  };
  tell(fileDigestOf({ book, tenants }));
  book.onChange(({ entry }) => {
    if (entry.source === "file") changed();
  });
  tenants?.onChange(changed);
}
