import type { Access } from "../auth/auth.ts";
import type { IdentityProblem } from "../auth/identity-provider.ts";
import type { Config } from "../config.ts";
import type { RecentTimes } from "../figures/recent-times.ts";
import { SlidingSum } from "../figures/sliding-sum.ts";
import type { Plugin } from "../plugin/contract.ts";
import { type CauseCounts, FAILURE_CAUSES, type FailureCause } from "../plugin/failure-cause.ts";
import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import { isLoopback } from "../system/loopback.ts";
import type { FirstByte, PluginPulse, ServerLoad } from "./cluster-facts.ts";
import type { ClusterOverview, OwnSights } from "./cluster-overview.ts";
import type { OwnRow } from "./cluster-state.ts";
import { History, type HistoryState, INTERVAL_MS, type Sample } from "./history.ts";
import { added, isAlike, type PoolState, sumOf, type Totals, toPoolState, toSample, ZERO } from "./overview-totals.ts";
import { PoolRates } from "./pool-rates.ts";
import { type Problem, Problems } from "./problems.ts";
import { findCommon, type KeysAway } from "./problems-found.ts";
import type { ServerState } from "./server-state.ts";

export interface OverviewOptions {
  readonly config: Config;
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Log;
  readonly plugins: readonly Plugin[];
  readonly version: string;
  /** Times to the first byte of answers, over all plugins. The overview begins its seconds. */
  readonly firstBytes: RecentTimes;
  /** Requests refused because of their credentials. */
  readonly authFailures: SlidingSum;
  readonly isDraining: () => boolean;
  /** Whether something that must survive a restart could not be written. */
  readonly areRecordsFailing: () => boolean;
  /** What is wrong with `KEYS_FILE`; undefined if it is valid, or there is none. */
  readonly keysFileProblem?: () => string | undefined;
  /** Whether created keys are as last known; undefined if they are current. */
  readonly keysAway?: () => KeysAway | undefined;
  /** Why users cannot sign in through the issuer; undefined if they can, or there is none. */
  readonly identityProblem?: () => IdentityProblem | undefined;
  /** Creates the overview of the cluster; absent without a cluster. */
  readonly cluster?: ((own: OwnSights) => ClusterOverview) | undefined;
}

const NO_FIRST_BYTE: FirstByte = { p50Ms: null, p95Ms: null };

/** Samples in a minute. */
const MINUTE = 60_000 / INTERVAL_MS;

/** Takes a sample of the server once a second, with or without viewers, and keeps the history and the problems. */
export class Overview {
  readonly #options: OverviewOptions;
  readonly #history = new History();
  readonly #problems = new Problems();
  readonly #rates = new PoolRates();
  /** The failures of the last minute, by cause. */
  readonly #causes = new Map<FailureCause, SlidingSum>(FAILURE_CAUSES.map((cause) => [cause, new SlidingSum()]));
  readonly #startedAt: number;
  readonly #startedElapsed: number;
  /** Plugins that have had a worker. */
  readonly #hadWorkers = new Set<string>();
  /** The other servers; undefined without a cluster. */
  readonly cluster: ClusterOverview | undefined;
  #totals: Totals = ZERO;
  #hasStarted = false;
  #sample: Sample;
  #pools: readonly PoolState[] = [];
  #pulses: readonly PluginPulse[] = [];
  #viewers = 0;
  #changes = 0;
  #stop: CancelTimer | undefined;

  constructor(options: OverviewOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#startedElapsed = options.clock.elapsed();
    this.#sample = toSample(this.#startedAt, ZERO, ZERO, NO_FIRST_BYTE);
    this.cluster = options.cluster?.({ row: this.#row(), samples: () => this.#history.samples() });
  }

  /** Begins to take samples; `viewers` returns the number of open streams. */
  start(viewers: () => number): void {
    this.#stop ??= this.#options.clock.every(INTERVAL_MS, () => this.#tick(viewers()));
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Grows with every change of `state` apart from clocks: a second whose figures equal the last ones is not a change. */
  get revision(): number {
    return this.#changes + this.#problems.revision + (this.cluster?.revision ?? 0);
  }

  state(viewers: number): ServerState {
    const { clock, config, version } = this.#options;
    return {
      state: this.#status(),
      id: config.serverId,
      version,
      started_at: new Date(this.#startedAt).toISOString(),
      uptime_s: Math.floor((clock.elapsed() - this.#startedElapsed) / 1000),
      now: new Date(clock.now()).toISOString(),
      viewers,
      sample: this.#sample,
      pools: this.#pools,
      problems: this.#problems.list,
    };
  }

  history(): HistoryState {
    return this.#history.snapshot();
  }

  /** Returns the history of all servers together. */
  historyOfAll(): HistoryState {
    return this.cluster?.historyOfAll(this.#history.samples()) ?? this.history();
  }

  /** Returns what other servers are told about this one. */
  load(): ServerLoad {
    const { first_byte_p50_ms: p50Ms, first_byte_p95_ms: p95Ms } = this.#sample;
    return { pulses: this.#pulses, firstByte: { p50Ms, p95Ms }, problems: this.#problemCounts() };
  }

  #status(): ServerState["state"] {
    if (this.#options.isDraining()) return "draining";
    const { workers_idle, workers_working } = this.#sample;
    if (workers_idle + workers_working > 0 || this.#arePeersReady()) return "ready";
    // If no plugin needs workers, none are missing.
    return this.#hasStarted && !this.#totals.needsWorkers ? "ready" : "not_ready";
  }

  #arePeersReady(): boolean {
    const { cluster } = this;
    if (!cluster) return false;
    return this.#options.plugins.some(({ id }) => {
      const { idle, working } = cluster.remoteWorkers(id);
      return idle + working > 0;
    });
  }

  #problemCounts(): ServerLoad["problems"] {
    const count = (severity: Problem["severity"]) =>
      this.#problems.list.filter((each) => each.severity === severity).length;
    return { critical: count("critical"), warning: count("warning") };
  }

  #row(): OwnRow {
    const { config, version, isDraining } = this.#options;
    return {
      id: config.serverId,
      version,
      isDraining: isDraining(),
      startedAt: this.#startedAt,
      sample: this.#sample,
      pools: this.#pools,
      problems: this.#problemCounts(),
    };
  }

  /** Catches what a plugin throws, because an error in a timer would end the process. */
  #tick(viewers: number): void {
    try {
      this.#take(viewers);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error("overview.failed", { reason });
    }
  }

  #take(viewers: number): void {
    const { clock, plugins, firstBytes } = this.#options;
    const pulses = plugins.flatMap((plugin) => {
      const pulse = plugin.reports?.pulse?.();
      return pulse ? [{ id: plugin.id, pulse }] : [];
    });
    const totals = pulses.reduce<Totals>((sum, { pulse }) => added(sum, pulse), ZERO);
    const firstByte: FirstByte = { p50Ms: firstBytes.quantile(0.5), p95Ms: firstBytes.quantile(0.95) };
    const sample = toSample(clock.now(), this.#totals, totals, firstByte);
    firstBytes.advance();
    this.#history.add(sample);
    const pools = pulses.flatMap(({ id, pulse }) => toPoolState(id, pulse, this.#rates.add(id, pulse)) ?? []);
    this.#countCauses(totals);
    const hasChanged = !isAlike(sample, this.#sample) || JSON.stringify(pools) !== JSON.stringify(this.#pools);
    if (hasChanged || viewers !== this.#viewers) this.#changes += 1;
    this.#pools = pools;
    this.#pulses = pulses;
    this.#sample = sample;
    this.#totals = totals;
    this.#hasStarted = true;
    this.#viewers = viewers;
    this.#findProblems(pulses);
    this.cluster?.take(this.#row());
  }

  /** Counts the failures since the last second by cause. MUST be called before the totals are replaced. */
  #countCauses(totals: Totals): void {
    const now = this.#options.clock.elapsed();
    for (const [cause, sum] of this.#causes) {
      const more = totals.causes[cause] - this.#totals.causes[cause];
      if (more > 0) sum.add(more, now);
    }
  }

  #lastCauses(): CauseCounts {
    const now = this.#options.clock.elapsed();
    const of = (cause: FailureCause): number => this.#causes.get(cause)?.sum(now) ?? 0;
    return {
      rejected: of("rejected"),
      timeout: of("timeout"),
      backend: of("backend"),
      lost: of("lost"),
      other: of("other"),
    };
  }

  #findProblems(pulses: readonly PluginPulse[]): void {
    const { config, access, clock, plugins, authFailures, isDraining, areRecordsFailing } = this.#options;
    for (const { id, pulse } of pulses) if (pulse.workers && sumOf(pulse.workers) > 0) this.#hadWorkers.add(id);
    const common = findCommon({
      isDraining: isDraining(),
      isApiOpen: access.isClientOpen,
      hasAdmins: access.hasAdmins,
      isClientOpen: access.isWorkerOpen,
      isLoopback: isLoopback(config.host),
      // In a cluster, NATS keeps them, or another problem says that it does not.
      areOwnersForgotten: config.dataDir === undefined && config.natsServers.length === 0 && access.hasSeveralOwners,
      areRecordsFailing: areRecordsFailing(),
      keysFileProblem: this.#options.keysFileProblem?.(),
      keysAway: this.#options.keysAway?.(),
      identityProblem: this.#options.identityProblem?.(),
      plugins: pulses.map((each) => ({
        ...each,
        label: plugins.find(({ id }) => id === each.id)?.section?.label,
        hadWorkers: this.#hadWorkers.has(each.id),
        remoteWorkers: this.cluster?.remoteWorkers(each.id),
      })),
      requests: this.#history.sum("requests", MINUTE),
      failures: this.#history.sum("failures", MINUTE),
      causes: this.#lastCauses(),
      authFailures: authFailures.sum(clock.elapsed()),
    });
    const own = plugins.flatMap((plugin) =>
      (plugin.reports?.problems?.() ?? []).map((condition) => ({ ...condition, plugin: plugin.id })),
    );
    const inCluster = isDraining() ? [] : (this.cluster?.problems() ?? []);
    this.#problems.update([...common, ...inCluster, ...own], { at: clock.now(), elapsed: clock.elapsed() });
  }
}
