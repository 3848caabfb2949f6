import type { Deps } from "../system/deps.ts";
import { VERSION } from "../system/version.ts";
import type { WorkerSettings } from "./args.ts";
import { Dialer, type DialerOptions } from "./dialer.ts";
import { withoutServer } from "./find-backends.ts";
import { foundTable } from "./found-text.ts";
import { createLoadSampler, readHostFacts } from "./host.ts";
import type { WorkerIdentity } from "./identity.ts";
import type { KeptId } from "./kept-id.ts";
import type { Kind } from "./kind.ts";
import { KINDS, RELAY_KIND } from "./kinds.ts";
import { LoadedWatch } from "./loaded-watch.ts";
import type { McpServer } from "./mcp/mcp-server.ts";
import { OpenServers } from "./mcp/open-servers.ts";
import { type RelayOptions, serveRelay } from "./mcp/relay.ts";
import { createModelBackend } from "./model-backend.ts";
import { ModelIntroduction } from "./model-introduction.ts";
import { createProxyChoice, type ProxyChoice } from "./outgoing-proxy.ts";
import { type OwnId, ownIdOf, relayOwnId } from "./own-id.ts";
import { relayIdOf } from "./relay-id.ts";
import { RETRY_LIMITS, type RetryLimits } from "./retry.ts";
import { httpUrl } from "./server-url.ts";
import { chooseSlots } from "./slots.ts";
import { openState } from "./state.ts";
import { BackendWatch } from "./watch.ts";

export interface WorkerOptions {
  /** Receives text for people: the model servers that were found, and a command to try. Nothing is printed without it. */
  readonly print?: (text: string) => void;
  readonly kinds?: ReadonlyMap<string, Kind>;
  readonly retry?: RetryLimits;
  readonly probeTimeoutMs?: number;
  /** The environment of the programs that the worker starts; empty unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Returns a number in [0, 1). */
  readonly random?: () => number;
  /** Called with the version of the server on each link; undefined for one that does not say it. */
  readonly onServerVersion?: (version: string | undefined) => void;
}

/** A running worker. */
export interface Worker {
  /**
   * Resolves with the ids once every kind and relay has been registered. Never rejects, since a later attempt may
   * succeed.
   */
  readonly registered: Promise<readonly string[]>;
  /** Drains every link and resolves when all are closed, at the latest shortly after the drain timeout. */
  stop(): Promise<void>;
}

/** How long a backend may take to list its models: one that is loading a model needs a while. */
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Serves every kind in the settings until stopped. It changes nothing about the process, so several may run in one. Throws an
 * `IdentityFault` if the worker joins and its key could not be kept in the file that STATE_FILE names.
 */
export function startWorker(given: WorkerSettings, deps: Deps, options: WorkerOptions = {}): Worker {
  const kinds = options.kinds ?? KINDS;
  const state = openState(given, deps);
  const { identity, keptId } = state;
  const settings = identity ? withIdentity(given, identity) : given;
  const proxyFor = createProxyChoice(settings);
  const servers = new OpenServers({
    env: options.env ?? {},
    proxyFor,
    limits: { maxSessions: settings.mcpMaxSessions, idleMs: settings.mcpSessionIdleMs },
    deps: { ...deps, log: deps.log.with({ kind: RELAY_KIND }) },
  });
  const running = settings.kinds.flatMap((name): readonly RunningKind[] => {
    const log = deps.log.with({ kind: name });
    if (name === RELAY_KIND) {
      const relayOptions = { ...toRelayOptions(options, proxyFor), keys: () => identity?.forLinks() };
      return settings.relays.map((relay) =>
        serveRelay(
          relay,
          servers.open(relay),
          settings,
          { ...deps, log: log.with({ relay: relay.name }) },
          { ...relayOptions, ownId: keptId && relayIdIn(keptId, relay, settings) },
        ),
      );
    }
    const kind = kinds.get(name);
    if (!kind) throw new Error(`no kind is called ${name}`);
    const known = { keys: identity?.forLinks(), ownId: keptId && ownIdOf(keptId) };
    return [serveKind(kind, settings, { ...deps, log }, options, proxyFor, known)];
  });
  return {
    registered: Promise.all(running.map((each) => each.registered)),
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
      await servers.close();
      state.release();
    },
  };
}

/** Gives each kind and relay an id that the identity's key may register. */
function withIdentity(settings: WorkerSettings, { workerId }: WorkerIdentity): WorkerSettings {
  const isOnly = settings.relays.length === 1;
  const relays = settings.relays.map((relay) => {
    return {
      ...relay,
      isIdMade: relay.id === undefined,
      id: relay.id ?? (isOnly ? workerId : relayIdOf(workerId, relay.name)),
    };
  });
  return { ...settings, id: workerId, relays };
}

/** Returns the id of a relay for which the operator chose none. */
function relayIdIn(kept: KeptId, { id, name }: McpServer, { relays }: WorkerSettings): OwnId | undefined {
  if (id !== undefined) return undefined;
  return relays.length === 1 ? ownIdOf(kept) : relayOwnId(kept, name);
}

function toRelayOptions(options: WorkerOptions, proxyFor: ProxyChoice): RelayOptions {
  const { print = () => {}, random = Math.random, retry, onServerVersion } = options;
  return { print, random, retry, proxyFor, onServerVersion };
}

interface RunningKind {
  readonly registered: Promise<string>;
  stop(): Promise<void>;
}

/** Returns the model server that the operator named for a kind, and its key. */
function backendOf(
  { name }: Kind,
  { backend, backendKey, asrBackend, asrBackendKey }: WorkerSettings,
): { readonly base: string | undefined; readonly key: string | undefined } {
  if (name !== "asr") return { base: backend, key: backendKey };
  // The key of one server must not be sent to another.
  return asrBackend === undefined
    ? { base: backend, key: asrBackendKey ?? backendKey }
    : { base: asrBackend, key: asrBackendKey };
}

function serveKind(
  kind: Kind,
  settings: WorkerSettings,
  deps: Deps,
  options: WorkerOptions,
  proxyFor: ProxyChoice,
  { keys, ownId }: Pick<DialerOptions, "keys" | "ownId">,
): RunningKind {
  const { print = () => {} } = options;
  const registered = Promise.withResolvers<string>();
  let hasPrintedExample = false;
  const { base, key } = backendOf(kind, settings);
  const watch = new BackendWatch({
    base,
    key,
    places: withoutServer(kind.places, settings.server),
    probe: kind.probe,
    proxyFor,
    choice: { models: settings.models, renames: settings.renames },
    intervalMs: settings.watchIntervalMs,
    probeTimeoutMs: options.probeTimeoutMs ?? PROBE_TIMEOUT_MS,
    clock: deps.clock,
    log: deps.log,
    onFound: (found, chosen) => print(foundTable(found, chosen)),
    onChange: () => {
      dialer.announce();
      tellSlots();
      printExample();
    },
  });
  let toldSlots = 0;
  /** Writes down how many jobs the worker takes at once, whenever that changes. */
  const tellSlots = (): void => {
    const { slots, reason } = chooseSlots(settings, watch.state);
    if (!watch.state.isUp || slots === toldSlots) return;
    toldSlots = slots;
    deps.log.info("slots.chosen", { slots, reason });
  };
  /** Prints a command to try, once: when a model can be used through the server, and not before. */
  const printExample = (): void => {
    const { isUp, models } = watch.state;
    const model = models[0];
    if (hasPrintedExample || !isUp || model === undefined || !dialer.isRegistered) return;
    hasPrintedExample = true;
    print(`Try it:\n${kind.curlLine(httpUrl(settings.server), model)}`);
  };
  const dialer = new Dialer({
    kind: kind.name,
    settings,
    keys,
    ownId,
    slots: () => chooseSlots(settings, watch.state).slots,
    introduction: new ModelIntroduction({
      kind,
      settings,
      host: readHostFacts(),
      version: VERSION,
      state: () => watch.state,
    }),
    backend: createModelBackend({
      target: () => watch.target,
      onJob: () => {
        if (watch.canAskLoaded) loaded.handleJob();
      },
      dropsBillingLine: settings.dropBillingLine === "true",
    }),
    requestTimeoutMs: settings.requestTimeoutMs ?? kind.silenceMs,
    onUnreachable: () => void watch.look(),
    load: createLoadSampler(),
    deps,
    random: options.random ?? Math.random,
    retry: options.retry ?? RETRY_LIMITS,
    proxyFor,
    onServerVersion: options.onServerVersion,
    onRegistered: (workerId) => {
      registered.resolve(workerId);
      printExample();
    },
  });
  const loaded = new LoadedWatch({
    ask: () => watch.lookAtLoaded(),
    running: () => dialer.running,
    clock: deps.clock,
  });
  // The first probe comes before the registration, which contains its result. One probe cannot take long.
  void watch.look().then(() => dialer.start());
  return {
    registered: registered.promise,
    async stop() {
      deps.log.info("worker.draining", { timeout_ms: settings.drainTimeoutMs });
      watch.stop();
      loaded.stop();
      await dialer.stop();
    },
  };
}
