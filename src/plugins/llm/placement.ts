import type { PromptAffinity } from "../../affinity/prompt-affinity.ts";
import type { RequestAffinity } from "../../affinity/request-affinity.ts";
import { responseIdIn } from "../../affinity/response-homes.ts";
import { Fault } from "../../errors.ts";
import type { Usage } from "../../figures/units.ts";
import { NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { JobReport } from "../../pool/job-spec.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Log } from "../../system/deps.ts";
import type { LlmCall } from "./call.ts";
import type { LlmRequest } from "./request.ts";

const RESPONSES = "/responses";

export interface PlacementPorts {
  readonly pool: Pool;
  readonly prompts: PromptAffinity;
  readonly log: Log;
}

/**
 * Where one request belongs: to the worker that the client named, to the one that has the response which it continues, or
 * where its prompt probably is in a cache.
 */
export class Placement {
  readonly #ports: PlacementPorts;
  readonly #call: LlmCall;
  readonly #request: LlmRequest;
  /** The response that the request continues, if its worker is known. */
  readonly #continued: { readonly id: string; readonly workerId: string } | undefined;
  #isSessionKnown = false;
  /** Finds the workers that have the prompt in their caches; undefined where there is nothing to choose. */
  readonly affinity: RequestAffinity | undefined;

  /** Throws `previous_response_not_found` if the worker that has the continued response cannot serve the request. */
  constructor(ports: PlacementPorts, call: LlmCall, request: LlmRequest) {
    this.#ports = ports;
    this.#call = call;
    this.#request = request;
    this.#continued = this.#findContinued();
    if (this.#continued && !this.#canServe(this.#continued.workerId)) throw notFound(this.#continued.id);
    this.affinity = this.#continued ? undefined : this.#recognize();
  }

  /** The only worker that may serve the request; undefined if any may. */
  get workerId(): string | undefined {
    return this.#continued ? this.#continued.workerId : this.#call.workerId;
  }

  /** Why only that worker may serve it, unless the client named it. */
  get workerReason(): "response" | undefined {
    return this.#continued ? "response" : undefined;
  }

  /** Notes that a session gets the request. The id is empty while another server chooses the session. */
  sent(sessionId: string): void {
    this.#isSessionKnown = sessionId !== "";
    if (this.#isSessionKnown) this.affinity?.sent(sessionId);
  }

  /** Learns from the answer, whose first bytes are `beginning`. */
  ended({ claim, status }: JobReport, usage: Usage | undefined, beginning: () => string): void {
    if (!claim || status !== 200) return;
    if (!this.#isSessionKnown && claim.sessionId !== "") this.affinity?.sent(claim.sessionId);
    if (this.#call.path === RESPONSES && this.#request.value["store"] !== false) {
      const id = responseIdIn(beginning());
      if (id !== undefined) this.#ports.prompts.learnResponse(id, this.#call.caller.tenant, claim.worker.id);
    }
    const cold = this.affinity && this.#ports.prompts.ended(this.affinity, claim, usage);
    if (!cold) return;
    this.#ports.log.info("affinity.off", {
      plugin: "llm",
      worker: cold.workerId,
      model: cold.model,
      predicted_tokens: cold.predictedTokens,
      cached_tokens: cold.cachedTokens,
    });
  }

  /** Returns the answer. An error of the pool about a lost worker becomes one about the response that the worker had. */
  explained(answer: Promise<Response>): Promise<Response> {
    const continued = this.#continued;
    if (!continued) return answer;
    return answer.catch((error: unknown) => {
      const isGone = error instanceof Fault && error.code === "worker_not_found";
      throw isGone ? notFound(continued.id) : error;
    });
  }

  #findContinued(): { readonly id: string; readonly workerId: string } | undefined {
    const { path, workerId, caller } = this.#call;
    const id = this.#request.value["previous_response_id"];
    if (path !== RESPONSES || workerId !== undefined || typeof id !== "string") return undefined;
    const home = this.#ports.prompts.homeOf(id, caller.tenant);
    return home === undefined ? undefined : { id, workerId: home };
  }

  /** Whether a worker serves the model, now or when it is ready again. The pool knows whether one that left may come back. */
  #canServe(workerId: string): boolean {
    const { pool } = this.#ports;
    const seat = pool.seatOf(workerId);
    if (!seat) return true;
    if (seat.isDrained || seat.session.offer.status === "draining") return false;
    const { model } = this.#request;
    const { tenant } = this.#call.caller;
    return (
      seat.capacity === 0 ||
      pool.models.resolve({ model, workerId, exact: false, excluded: NONE_EXCLUDED, tenant }) !== undefined
    );
  }

  /** Returns undefined where a single worker can serve the request, so that such requests cost nothing. */
  #recognize(): RequestAffinity | undefined {
    const { pool, prompts } = this.#ports;
    const { caller, path, visit, workerId } = this.#call;
    const { model, value: body } = this.#request;
    if (workerId !== undefined) return undefined;
    const served =
      pool.models.workersOf(model) > 0 ? model : pool.models.resolve({ model, exact: false, excluded: NONE_EXCLUDED });
    const workers = served === undefined ? 0 : pool.models.workersOf(served);
    if (served === undefined || workers < 2 || prompts.isCold(served, workers)) return undefined;
    const { tenant, name } = caller;
    return prompts.of({ tenant, caller: name, model, path, headers: visit.request.headers, body });
  }
}

const RESEND = "Send the whole conversation as 'input' instead, without 'previous_response_id'.";

function notFound(id: string): Fault {
  return new Fault("previous_response_not_found", {
    message: `The worker that has the response '${id.slice(0, 128)}' is not available any more. ${RESEND}`,
    param: "previous_response_id",
  });
}
