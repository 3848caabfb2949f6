import type { Charges } from "../pool/charge.ts";
import { FairQueue } from "../pool/policies/fair/fair-queue.ts";
import { LimitedQueue } from "../pool/policies/limited/limited-queue.ts";
import type { CreateQueuePolicy } from "../pool/queue-policy.ts";
import type { Clock } from "../system/deps.ts";
import type { CostOf } from "./job-cost.ts";

export interface QueueOrderOptions {
  readonly config: { readonly queueSize: number; readonly queueTimeoutMs: number };
  readonly clock: Clock;
  readonly costOf: CostOf;
  /** Undefined where no key has limits. */
  readonly charges: Charges | undefined;
}

/** Returns the order in which jobs get slots: fair among callers, behind the limits of their keys if any can have some. */
export function queueOrder({ config, clock, costOf, charges }: QueueOrderOptions): CreateQueuePolicy {
  const { queueSize: capacity, queueTimeoutMs: timeoutMs } = config;
  if (!charges) return (host) => new FairQueue({ capacity, clock, costOf }, host);
  return (host) =>
    new LimitedQueue(
      {
        capacity,
        timeoutMs,
        clock,
        charges,
        createInner: (inner, room) =>
          new FairQueue(
            {
              get capacity() {
                return room.capacity;
              },
              clock,
              costOf,
            },
            inner,
          ),
      },
      host,
    );
}
