import { setNewest } from "../system/newest.ts";
import type { PeerFacts } from "./cluster-facts.ts";
import type { PeerSecond } from "./cluster-state.ts";
import { History, type HistoryState, type Sample } from "./history.ts";
import { added, type Totals, toPoolState, toSample, ZERO } from "./overview-totals.ts";
import { PoolRates } from "./pool-rates.ts";

/**
 * How many peers have a history, of 115 KB each. When there are more, the peer that has been silent for longest loses its
 * history.
 */
const MAX_PEERS = 64;

interface Kept {
  readonly history: History;
  readonly rates: PoolRates;
  epoch: string;
  /** The counters of the last beat; undefined until the first beat of the epoch. */
  totals: Totals | undefined;
  second: PeerSecond | undefined;
}

/**
 * The history of each peer, built from its beats, so that its graph can be shown at once, even after the peer has died. It
 * continues when a server with the same id comes back.
 */
export class PeerHistories {
  /** The peer that was silent for longest comes first. */
  readonly #peers = new Map<string, Kept>();

  /** Takes over the load of a beat. `at` is in milliseconds since 1970. */
  add(peer: PeerFacts, at: number): void {
    const { load, id, epoch } = peer;
    if (!load) return;
    const kept = this.#touch(id, epoch);
    const totals = load.pulses.reduce<Totals>((sum, { pulse }) => added(sum, pulse), ZERO);
    // The counters of a server that was known to run have values from before the first beat that arrived here.
    const sample = toSample(at, kept.totals ?? totals, totals, load.firstByte);
    kept.totals = totals;
    const pools = load.pulses.flatMap(
      ({ id: pool, pulse }) => toPoolState(pool, pulse, kept.rates.add(pool, pulse)) ?? [],
    );
    kept.second = { sample, pools };
    kept.history.add(sample);
  }

  /**
   * Puts samples that a peer has told, oldest first, before those that were made of its beats, which stay as they are. Samples
   * that are not older than these are left out, and so is everything of a peer without a history.
   */
  fill(peerId: string, told: readonly Sample[]): void {
    const history = this.#peers.get(peerId)?.history;
    const first = history?.samples()[0];
    if (history && first) history.addBefore(told.filter(({ at }) => at < first.at));
  }

  /** Returns a peer's last second. */
  second(peerId: string): PeerSecond | undefined {
    return this.#peers.get(peerId)?.second;
  }

  history(peerId: string): HistoryState | undefined {
    return this.#peers.get(peerId)?.history.snapshot();
  }

  /** Returns the samples of all peers, oldest first for each. */
  samples(): readonly (readonly Sample[])[] {
    return [...this.#peers.values()].map(({ history }) => history.samples());
  }

  #touch(id: string, epoch: string): Kept {
    let kept = this.#peers.get(id);
    if (!kept) kept = { history: new History(), rates: new PoolRates(), epoch, totals: undefined, second: undefined };
    else if (kept.epoch !== epoch) {
      kept.epoch = epoch;
      kept.totals = undefined;
    }
    setNewest(this.#peers, id, kept, MAX_PEERS);
    return kept;
  }
}
