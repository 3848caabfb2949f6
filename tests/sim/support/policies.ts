import { createCostOf } from "../../../src/models/job-cost.ts";
import { FairQueue } from "../../../src/pool/policies/fair/fair-queue.ts";
import { FirstCome } from "../../../src/pool/policies/first-come.ts";
import type { CreateQueuePolicy } from "../../../src/pool/queue-policy.ts";
import { LeastLoaded } from "../../../src/pool/routing/least-loaded.ts";
import type { RoutePolicy } from "../../../src/pool/routing/route-policy.ts";
import { Soonest } from "../../../src/pool/routing/soonest.ts";
import type { Clock } from "../../../src/system/deps.ts";
import { defaultConfig } from "../../support/default-config.ts";

/** The policies of a simulated pool. */
export interface Policies {
  createQueue(capacity: number, clock: Clock): CreateQueuePolicy;
  createRoute(): RoutePolicy;
  /** Whether the route policy gets to know which workers have met a prompt that begins like that of a request. */
  readonly recognizesPrompts: boolean;
}

/** The simplest policies: the order of arrival, and the worker with the fewest slots held. */
export const BASELINE: Policies = {
  createQueue: (capacity) => () => new FirstCome(capacity),
  createRoute: () => new LeastLoaded(),
  recognizesPrompts: false,
};

/** The policies of the server, with its default settings. */
export const PRODUCT: Policies = {
  createQueue: (capacity, clock) => {
    const costOf = createCostOf(defaultConfig().queueWeights);
    return (host) => new FairQueue({ capacity, clock, costOf }, host);
  },
  createRoute: () => new Soonest(),
  recognizesPrompts: true,
};
