import type { Calls } from "../../plugin/cluster.ts";
import type { OwnState } from "../../state/cluster-facts.ts";
import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { Bus } from "../bus.ts";
import { toParts } from "./state-parts.ts";

/**
 * The question by which a peer asks for the state. Its body is `{have}`, the number of the state that it has; 0 when it asks
 * for the first time.
 */
export const STATE_QUESTION = "state";

/** How often the state is written while somebody asks, in milliseconds. */
const WRITE_MS = 1000;
/** How long the state is written after a question, in milliseconds. Peers ask every two seconds. */
const ASKED_MS = 5000;
/** The largest number of a state, which has 32 bits on the bus. */
const MAX_NUMBER = 2 ** 32 - 1;

export interface OwnStateOptions {
  readonly bus: Bus;
  readonly calls: Calls;
  /** The subject on which this server writes its state. */
  readonly subject: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Publishes this server's state on the bus while peers ask for it: once for all of them, at most once a second, and only if
 * it has changed. A peer asks only while one of its viewers looks at this server.
 */
export class OwnStateWriter {
  readonly #options: OwnStateOptions;
  readonly #own: OwnState;
  #number = 0;
  #revision: string | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** Whether a peer that has asked lacks the newest state. */
  #isMissing = false;
  #stop: CancelTimer | undefined;

  constructor(options: OwnStateOptions, own: OwnState) {
    this.#options = options;
    this.#own = own;
    options.calls.answer(STATE_QUESTION, (body) => this.#onAsked(body));
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Returns the number of the newest state, which the peer may have already. */
  #onAsked(body: unknown): { readonly number: number } {
    const { clock } = this.#options;
    const have = typeof body === "object" && body !== null && "have" in body ? body.have : 0;
    this.#askedAt = clock.elapsed();
    // A state that was published a moment ago may not have reached the peer before it asked.
    const isUnderWay = clock.elapsed() - this.#writtenAt < WRITE_MS;
    if (have === 0 || (have !== this.#number && !isUnderWay)) this.#isMissing = true;
    if (!this.#stop) {
      this.#stop = clock.every(WRITE_MS, () => this.#tick());
      this.#tick();
    }
    return { number: this.#number };
  }

  #tick(): void {
    const { clock, log } = this.#options;
    if (clock.elapsed() - this.#askedAt >= ASKED_MS) return this.close();
    try {
      const revision = this.#own.revision();
      if (revision !== this.#revision || this.#isMissing) this.#write(revision);
    } catch (error) {
      // A plugin failed to give its state. An error in a timer would end the process.
      log.error("cluster.state_failed", { reason: error instanceof Error ? error.message : String(error) });
    }
  }

  #write(revision: string): void {
    const { bus, subject, clock, log } = this.#options;
    const number = (this.#number % MAX_NUMBER) + 1;
    const text = this.#own.write();
    const parts = toParts(number, text);
    this.#number = number;
    this.#revision = revision;
    this.#isMissing = false;
    this.#writtenAt = clock.elapsed();
    if (!parts) log.error("cluster.state_too_large", { chars: text.length });
    // A lost state is published again when the peer asks the next time.
    else for (const part of parts) bus.publish(subject, part);
  }
}
