import type { Clock } from "../system/deps.ts";
import type { Claim } from "./claim.ts";
import { linesOf } from "./lines.ts";
import type { Queue } from "./queue.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import type { Reach } from "./reach.ts";
import { RemoteClaim, type RemoteClaimOwner } from "./remote-claim.ts";
import type { RemoteChoice } from "./remotes.ts";
import type { JobTicket } from "./ticket.ts";

/** The most models and workers whose lines are kept. All are forgotten when there are more. */
const MAX_LINES = 1000;

export interface RemoteSlotsOptions {
  readonly clock: Clock;
  readonly reach: Reach;
  readonly policy: QueuePolicy;
  readonly queue: Queue;
  /** Called after each change. */
  readonly onChange: () => void;
}

/** The slots of peers that jobs of this server hold. Gives a slot of a peer to a waiting job. */
export class RemoteSlots {
  readonly #options: RemoteSlotsOptions;
  /** The queue policy recognizes a seat by the array of its lines, so each array is created once. */
  readonly #lines = new Map<string, readonly string[]>();
  #held = 0;
  readonly #owner: RemoteClaimOwner = {
    onReturned: (ticket, work) => {
      const { clock, policy, onChange } = this.#options;
      this.#held -= 1;
      policy.end(ticket, work, clock.elapsed());
      onChange();
    },
  };

  constructor(options: RemoteSlotsOptions) {
    this.#options = options;
  }

  /** How many are held. */
  get held(): number {
    return this.#held;
  }

  /** Takes a slot for a job. `now` is `Clock.elapsed`. */
  hold(choice: RemoteChoice, ticket: JobTicket, now: number): Claim {
    const { policy, onChange } = this.#options;
    this.#held += 1;
    const claim = new RemoteClaim(choice, ticket, this.#owner);
    onChange();
    policy.begin(ticket, { lines: this.#linesOf(choice), isContended: choice.isOffered ?? false }, now);
    return claim;
  }

  /** Gives a slot to a job that waits, as the policy orders them. Returns false if none may have it. */
  serve(choice: RemoteChoice): boolean {
    const { clock, reach, policy, queue } = this.#options;
    if (queue.size === 0) return false;
    const now = clock.elapsed();
    const ticket = policy.next({ lines: this.#linesOf(choice), serves: (each) => reach.serves(choice, each) }, now);
    const waiting = ticket && queue.takeOwn(ticket);
    if (!waiting) return false;
    waiting.onGranted(this.hold(choice, waiting.ticket, now));
    return true;
  }

  #linesOf({ group: { model }, workerId }: RemoteChoice): readonly string[] {
    const key = workerId === undefined ? model : `${workerId} ${model}`;
    const known = this.#lines.get(key);
    if (known) return known;
    if (this.#lines.size >= MAX_LINES) this.#lines.clear();
    const lines = linesOf(workerId, [model]);
    this.#lines.set(key, lines);
    return lines;
  }
}
