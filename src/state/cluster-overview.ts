import type { ClusterHealth } from "../http/health.ts";
import type { Calls } from "../plugin/cluster.ts";
import type { WorkerCounts } from "../plugin/reports.ts";
import type { Clock, Log } from "../system/deps.ts";
import { serverMark } from "../system/server-id.ts";
import type { ClusterReports } from "./cluster-facts.ts";
import { ClusterLog } from "./cluster-log.ts";
import { findInCluster } from "./cluster-problems.ts";
import { type ClusterState, isUsable, type OwnRow, toClusterState } from "./cluster-state.ts";
import { type HistoryState, type Sample, toHistoryState } from "./history.ts";
import { sumOfHistories } from "./history-sum.ts";
import { PeerHistories } from "./peer-histories.ts";
import { PeerPasts } from "./peer-pasts.ts";
import type { Found } from "./problems.ts";

export interface ClusterOverviewDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly calls: Calls;
}

/** What the cluster shows of this server. */
export interface OwnSights {
  readonly row: OwnRow;
  /** Returns the samples of its own history, oldest first. */
  readonly samples: () => readonly Sample[];
}

/** The cluster in the overview: its state, the history of each peer, its problems and its lines in the log. */
export class ClusterOverview {
  readonly #reports: ClusterReports;
  readonly #clock: Clock;
  readonly #log: ClusterLog;
  readonly #histories = new PeerHistories();
  #own: OwnRow;
  #text = "";
  #changes = 0;

  constructor(reports: ClusterReports, deps: ClusterOverviewDeps, own: OwnSights) {
    this.#reports = reports;
    this.#clock = deps.clock;
    this.#log = new ClusterLog(deps.log);
    this.#own = own.row;
    const pasts = new PeerPasts({ ...deps, histories: this.#histories, own: own.samples });
    reports.onBeat((id) => {
      const peer = reports.facts().peers.find((each) => each.id === id);
      if (!peer?.load) return;
      this.#histories.add(peer, deps.clock.now());
      pasts.onBeat(id);
    });
  }

  /** Grows with every change of `state` apart from ages and round trips. */
  get revision(): number {
    return this.#changes;
  }

  /** Takes over the last second of this server. */
  take(own: OwnRow): void {
    this.#own = own;
    const state = this.state();
    const text = JSON.stringify({
      ...state,
      sample: timeless(state.sample),
      servers: state.servers.map((row) => ({ ...row, ...RESTLESS, sample: timeless(row.sample) })),
    });
    if (text !== this.#text) this.#changes += 1;
    this.#text = text;
    this.#log.note(this.#reports.facts());
  }

  state(): ClusterState {
    const now = this.#clock.now();
    return toClusterState(this.#reports.facts(), this.#own, (id) => this.#histories.second(id), now);
  }

  /** Returns what anyone may see. */
  health(): ClusterHealth {
    const { id, servers, peers_lost, bus, is_whole } = this.state();
    const running = servers.filter(({ state }) => state !== "gone").length;
    return { server: serverMark(id), servers: running, peers_lost, bus: bus.state, is_whole };
  }

  problems(): readonly Found[] {
    return findInCluster(this.#reports.facts());
  }

  /** Counts the workers of a plugin on peers that take jobs from here. */
  remoteWorkers(plugin: string): WorkerCounts {
    const counts = { idle: 0, working: 0, notReady: 0, draining: 0 };
    for (const peer of this.#reports.facts().peers) {
      if (!isUsable(peer)) continue;
      for (const { id, pulse } of peer.load?.pulses ?? []) {
        if (id !== plugin || !pulse.workers) continue;
        counts.idle += pulse.workers.idle;
        counts.working += pulse.workers.working;
        counts.notReady += pulse.workers.notReady;
        counts.draining += pulse.workers.draining;
      }
    }
    return counts;
  }

  knows(serverId: string): boolean {
    return this.#reports.facts().peers.some(({ id }) => id === serverId);
  }

  /** Returns the ids of the peers that have not left. */
  runningPeers(): readonly string[] {
    return this.#reports.facts().peers.flatMap(({ id, status }) => (status === "gone" ? [] : id));
  }

  /** Returns a peer's last quarter of an hour; undefined for a server without a beat so far. */
  historyOf(peerId: string): HistoryState | undefined {
    return this.#histories.history(peerId);
  }

  /** Returns the last quarter of an hour of all servers together. */
  historyOfAll(own: readonly Sample[]): HistoryState {
    return toHistoryState(sumOfHistories([own, ...this.#histories.samples()]));
  }
}

/** Members that change from second to second although nothing has happened. */
const RESTLESS = { rtt_ms: 0, gossip_age_ms: 0, clock_ahead_ms: 0 };

function timeless(sample: Sample | null): object | null {
  return sample && { ...sample, at: 0 };
}
