import { FirstCome } from "../../../src/pool/policies/first-come.ts";
import type { CreateQueuePolicy } from "../../../src/pool/queue-policy.ts";
import { LeastLoaded } from "../../../src/pool/routing/least-loaded.ts";
import type { RoutePolicy } from "../../../src/pool/routing/route-policy.ts";

/** The policies of a simulated pool. */
export interface Policies {
  createQueue(capacity: number): CreateQueuePolicy;
  createRoute(): RoutePolicy;
}

/** The simplest policies: the order of arrival, and the worker with the fewest slots held. */
export const BASELINE: Policies = {
  createQueue: (capacity) => () => new FirstCome(capacity),
  createRoute: () => new LeastLoaded(),
};
