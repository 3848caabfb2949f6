import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { LimitedQueue } from "../../src/pool/policies/limited/limited-queue.ts";
import { systemClock } from "../../src/system/clock.ts";
import { describeQueuePolicy } from "./queue-policy.ts";

describeQueuePolicy("the fair queue behind the limits of keys", (capacity) => (host) => {
  const clock = systemClock;
  return new LimitedQueue(
    {
      capacity,
      timeoutMs: 1000,
      clock,
      charges: { onChange: () => {} },
      createInner: (inner, room) =>
        new FairQueue(
          {
            get capacity() {
              return room.capacity;
            },
            clock,
            costOf: () => 1000,
          },
          inner,
        ),
    },
    host,
  );
});
