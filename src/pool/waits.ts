import type { Fault } from "../errors.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import type { Hold } from "./charge.ts";
import type { Claim } from "./claim.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import type { RemoteQueue } from "./remotes.ts";
import type { JobTicket, Ticket } from "./ticket.ts";

/** A job that waits for a slot. Of its two callbacks one is called, once; neither after it has left. */
export interface Waiting {
  readonly ticket: JobTicket;
  /** Takes over a claim, which is now the job's to release. */
  readonly onGranted: (claim: Claim) => void;
  readonly onFailed: (fault: Fault) => void;
}

/** A wait for a slot, as its job holds it. */
export interface Wait {
  /** The name of the limit of its key that holds it back; undefined while it waits for a slot. */
  limit(): string | undefined;
  /** An estimate of how many slots must free first: 1 is next. */
  position(): number;
  leave(): void;
}

export interface WaitsOptions {
  readonly clock: Clock;
  readonly policy: QueuePolicy;
  /** How long a ticket may wait, counted from its first wait. */
  readonly timeoutMs: number;
  readonly remotes: RemoteQueue | undefined;
  /** Called after each coming and going. */
  readonly onChange: () => void;
}

interface Stay {
  readonly waiting: Waiting;
  readonly cancelTimer: CancelTimer;
  /** Whether peers know of it. They do not while it is pending. */
  isWanted: boolean;
}

/** The jobs that wait, and their deadlines. The order among them is kept by the queue policy. */
export class Waits {
  readonly #options: WaitsOptions;
  readonly #waiting = new Map<Ticket, Stay>();

  constructor(options: WaitsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(ticket: Ticket): boolean {
    return this.#waiting.has(ticket);
  }

  /** The tickets that wait now, in the order in which they were issued: a copy, so that the caller may take them out. */
  tickets(): readonly JobTicket[] {
    return Array.from(this.#waiting.values(), ({ waiting }) => waiting.ticket).sort((a, b) => a.number - b.number);
  }

  /**
   * Adds a job. `onExpired` is called when the deadline of its ticket passes, after it was removed, with the limit that
   * held it back until then.
   */
  add(waiting: Waiting, onExpired: (hold: Hold | undefined) => void): Wait {
    const { clock, policy, timeoutMs, remotes, onChange } = this.#options;
    const { ticket } = waiting;
    const now = clock.elapsed();
    ticket.expiresAt ??= now + timeoutMs;
    const cancelTimer = clock.after(Math.max(0, ticket.expiresAt - now), () => {
      const hold = policy.holdOf?.(ticket);
      this.take(ticket);
      onExpired(hold);
    });
    this.#waiting.set(ticket, { waiting, cancelTimer, isWanted: false });
    policy.join(ticket, now);
    // No server can serve a request that the limits of its key have not admitted.
    const isPending = policy.holdOf?.(ticket) !== undefined && ticket.charge?.admittedAt === undefined;
    if (!isPending) this.want(ticket);
    onChange();
    return {
      limit: () => policy.holdOf?.(ticket)?.limit,
      position: () => {
        const own = policy.position(ticket, clock.elapsed());
        return own === 0 || !remotes ? own : own + remotes.ahead(ticket);
      },
      leave: () => {
        if (this.#waiting.get(ticket)?.waiting === waiting) this.take(ticket);
      },
    };
  }

  /** Tells peers of a waiting job, unless they know of it. */
  want(ticket: Ticket): void {
    const stay = this.#waiting.get(ticket);
    if (!stay || stay.isWanted) return;
    stay.isWanted = true;
    this.#options.remotes?.want(ticket);
  }

  /** Removes and returns a waiting job; undefined for a ticket that does not wait. */
  take(ticket: Ticket): Waiting | undefined {
    const found = this.#waiting.get(ticket);
    if (!found) return undefined;
    found.cancelTimer();
    this.#waiting.delete(ticket);
    this.#options.policy.leave(ticket);
    this.#options.remotes?.unwant(ticket);
    this.#options.onChange();
    return found.waiting;
  }
}
