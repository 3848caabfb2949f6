import type { FlowService, SharedService } from "../../queue-policy.ts";
import { CLASSES, URGENCY } from "../../urgency.ts";
import type { Backlog } from "./backlog.ts";
import type { Flow } from "./flow.ts";

/** The most flows whose service is kept until it is taken. The service of further flows is ignored. */
const MAX_FLOWS = 10_000;

/**
 * The service that flows receive on several servers: charges of this server that are not sent yet, and charges that other
 * servers send. Only charged jobs are sent: a job that begins while nothing waits takes nothing from anyone.
 */
export class ServiceLedger implements SharedService {
  readonly #backlog: Backlog;
  readonly #onTold: (peer: string, now: number) => void;
  #isKept = false;
  readonly #byFlow = new Map<Flow, Map<string, number>>();

  /** `onTold` is called before the service that a peer has sent is counted. */
  constructor(backlog: Backlog, onTold: (peer: string, now: number) => void) {
    this.#backlog = backlog;
    this.#onTold = onTold;
  }

  /** Notes a charge, or the correction of one. */
  add(flow: Flow, model: string, amount: number): void {
    if (!this.#isKept || amount === 0) return;
    const byModel = this.#byFlow.get(flow) ?? new Map<string, number>();
    if (byModel.size === 0 && this.#byFlow.size >= MAX_FLOWS) return;
    this.#byFlow.set(flow, byModel.set(model, (byModel.get(model) ?? 0) + amount));
  }

  takeService(): readonly FlowService[] {
    this.#isKept = true;
    const taken: FlowService[] = [];
    for (const [{ urgency, member, endUser }, byModel] of this.#byFlow)
      for (const [model, amount] of byModel)
        if (amount !== 0)
          taken.push({
            model,
            class: CLASSES[urgency] ?? "normal", // There is one for each urgency.
            tenant: member.tenant,
            caller: member.name,
            endUser,
            weight: member.weight,
            amount,
          });
    this.#byFlow.clear();
    return taken;
  }

  addService(peer: string, services: readonly FlowService[], now: number): void {
    this.#onTold(peer, now);
    for (const { model, class: callerClass, tenant, caller, endUser, weight, amount } of services)
      for (const order of this.#backlog.ordersFor(model))
        order.absorb({ urgency: URGENCY[callerClass], tenant, caller, endUser }, weight, amount, now);
  }
}
