import type { Clock } from "../system/deps.ts";
import type { HeldClaim } from "./claim.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import type { JobTicket, Ticket } from "./ticket.ts";
import type { Wait } from "./waits.ts";

/** A job that waits at another server, with its ticket in the queue here. */
export interface PeerWait {
  readonly ticket: JobTicket;
  /** Takes over a slot for the job. It MUST be assigned to a job or released. Not called after the job has left. */
  readonly onGranted: (claim: HeldClaim) => void;
}

/**
 * The jobs of other servers that wait for slots here. Their own servers keep their deadlines. To the queue policy their
 * tickets are like any others, so one comparison decides between them and the jobs of this server.
 */
export class PeerWaits {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #policy: QueuePolicy;
  readonly #waiting = new Map<Ticket, PeerWait>();

  constructor(clock: Pick<Clock, "elapsed">, policy: QueuePolicy) {
    this.#clock = clock;
    this.#policy = policy;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(ticket: Ticket): boolean {
    return this.#waiting.has(ticket);
  }

  /** Adds a job, unless no job may wait (`welcome`). */
  add(wait: PeerWait, welcome: boolean): Wait {
    const { ticket } = wait;
    if (welcome) {
      this.#waiting.set(ticket, wait);
      this.#policy.join(ticket, this.#clock.elapsed());
    }
    return {
      limit: () => undefined,
      position: () => this.#policy.position(ticket, this.#clock.elapsed()),
      leave: () => void this.take(ticket),
    };
  }

  /** Removes and returns a job; undefined for a ticket that does not wait. */
  take(ticket: Ticket): PeerWait | undefined {
    const wait = this.#waiting.get(ticket);
    if (!wait) return undefined;
    this.#waiting.delete(ticket);
    this.#policy.leave(ticket);
    return wait;
  }

  clear(): void {
    for (const ticket of [...this.#waiting.keys()]) this.take(ticket);
  }
}
