import type { Calls } from "../plugin/cluster.ts";
import type { Clock } from "../system/deps.ts";
import type { Sample } from "./history.ts";
import type { PeerHistories } from "./peer-histories.ts";
import { MAX_ANSWERS, readToldSamples, tellSamples } from "./told-samples.ts";

/** The question by which a server asks another one for its own samples. */
export const HISTORY_QUESTION = "history";

/** How long a peer has to answer with a part of its samples, in milliseconds. */
const ASK_MS = 5000;
/** How often a peer is asked that does not answer. */
const MAX_TRIES = 3;
/** The most peers that are asked in one run of the server. */
const MAX_ASKED = 1000;

export interface PeerPastsOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly histories: Pick<PeerHistories, "fill">;
  /** Returns this server's own samples, oldest first. */
  readonly own: () => readonly Sample[];
}

/**
 * Asks each peer once for the samples that it took before this server started to hear its beats, so that the graphs of a
 * server that has restarted do not begin empty, and answers the same question of peers.
 */
export class PeerPasts {
  readonly #options: PeerPastsOptions;
  /** How often each peer may still be asked. */
  readonly #triesLeft = new Map<string, number>();
  readonly #asking = new Set<string>();

  constructor(options: PeerPastsOptions) {
    this.#options = options;
    const { calls, clock, own } = options;
    calls.answer(HISTORY_QUESTION, (body) => tellSamples(body, own(), clock.now()));
  }

  /** Asks a peer after one of its beats was added to its history, unless its past is known or it was asked too often. */
  onBeat(peerId: string): void {
    const left = this.#triesLeft.get(peerId) ?? (this.#triesLeft.size < MAX_ASKED ? MAX_TRIES : 0);
    if (left === 0 || this.#asking.has(peerId)) return;
    this.#triesLeft.set(peerId, left - 1);
    this.#asking.add(peerId);
    void this.#ask(peerId).then((isDone) => {
      this.#asking.delete(peerId);
      if (isDone) this.#triesLeft.set(peerId, 0);
    });
  }

  /** Returns whether asking again would bring nothing more. */
  async #ask(peerId: string): Promise<boolean> {
    const { calls, clock, histories } = this.#options;
    const told: (readonly Sample[])[] = [];
    let before: number | undefined;
    /** By how much this server's clock is ahead of the peer's. */
    let aheadMs: number | undefined;
    for (let part = 0; part < MAX_ANSWERS; part += 1) {
      const result = await calls.ask(peerId, HISTORY_QUESTION, { before }, ASK_MS);
      // A peer of an older version does not know the question.
      if (result.kind === "unknown") return true;
      if (result.kind !== "answer") return false;
      const answer = readToldSamples(result.body, before);
      if (!answer) return true;
      aheadMs ??= clock.now() - answer.now;
      told.unshift(answer.samples);
      before = answer.samples[0]?.at;
      if (before === undefined) break;
    }
    const shiftMs = aheadMs ?? 0;
    histories.fill(
      peerId,
      told.flat().map((sample) => ({ ...sample, at: sample.at + shiftMs })),
    );
    return true;
  }
}
