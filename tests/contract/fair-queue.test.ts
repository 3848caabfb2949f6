import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { systemClock } from "../../src/system/clock.ts";
import { describeQueuePolicy } from "./queue-policy.ts";

describeQueuePolicy("the fair queue", (capacity) => (host) => {
  return new FairQueue({ capacity, clock: systemClock, costOf: () => 1000 }, host);
});
