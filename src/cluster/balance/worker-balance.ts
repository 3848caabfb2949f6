import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { Moves } from "../announcing/moves.ts";
import type { Peer } from "../presence/peer.ts";
import { Spread } from "./spread.ts";

/** How often workers are counted. */
const LOOK_MS = 1000;
/** How long all servers must have been there, without one that drains or is silent, before workers move. */
const QUIET_MS = 30_000;

export interface WorkerBalanceOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly moves: Moves;
  readonly peers: { all(): Iterable<Peer> };
  /** Counts the workers of a plugin that are connected to a peer and do not move away from it. */
  readonly countAt: (pluginId: string, peerId: string) => number;
}

/**
 * Spreads workers over the servers that are close to each other: after a rolling deploy, the server that was replaced last has
 * none. Each server decides for its own workers, by what it knows of the others.
 */
export class WorkerBalance {
  readonly #options: WorkerBalanceOptions;
  readonly #stop: CancelTimer;
  readonly #spreads = new Map<string, Spread>();
  #servers = "";
  #quietSince: number;

  constructor(options: WorkerBalanceOptions) {
    this.#options = options;
    this.#quietSince = options.clock.elapsed();
    this.#stop = options.clock.every(LOOK_MS, () => this.#look());
  }

  /** Moves no more workers. */
  stop(): void {
    this.#stop();
  }

  #look(): void {
    const { clock, moves, peers } = this.#options;
    const now = clock.elapsed();
    const present = [...peers.all()].filter(({ isPresent }) => isPresent);
    const servers = present.map(({ id, epoch, status }) => `${id} ${epoch} ${status}`).join();
    if (servers !== this.#servers) {
      this.#servers = servers;
      this.#spreads.clear();
      this.#quietSince = now;
    }
    if (present.some(({ status }) => status !== "alive")) this.#quietSince = now;
    if (now - this.#quietSince < QUIET_MS) return;
    const near = present.filter((peer) => peer.isReachable && peer.isNear && peer.isKnown && !peer.isBehind);
    if (near.length === 0) return;
    for (const plugin of moves.plugins()) this.#spread(plugin, near, now);
  }

  #spread(plugin: string, near: readonly Peer[], now: number): void {
    const { moves, countAt, log } = this.#options;
    const spread = this.#spreads.get(plugin) ?? new Spread();
    this.#spreads.set(plugin, spread);
    const { isMoving: wasMoving } = spread;
    const workers = moves.count(plugin);
    const others = near.map(({ id }) => countAt(plugin, id));
    spread.moved(moves.begin(plugin, spread.look(workers, others, now)));
    if (spread.isMoving !== wasMoving)
      log.info(wasMoving ? "workers.moved" : "workers.moving", { plugin, workers, workers_at_peers: others.join(",") });
  }
}
