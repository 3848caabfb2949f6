import { Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { attemptId } from "../../http/headers.ts";
import { bodyFor } from "../../models/named-body.ts";
import type { Standing } from "../../models/standings.ts";
import type { Claim } from "../../pool/claim.ts";
import type { Demand } from "../../pool/directory.ts";
import { type Excluded, NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { JobEnd } from "../../pool/job-spec.ts";
import { AnswerEnds } from "../../reply/answer-ends.ts";
import { collect, type WholeAnswer } from "../../reply/collect.ts";
import { type LlmCall, type LlmPorts, patienceFor, toExchangeRequest } from "./call.ts";
import { type EmbeddingRequest, type Part, PartCutter } from "./embedding-input.ts";
import type { PartAnswer } from "./embedding-merge.ts";
import { PartReports } from "./part-reports.ts";
import { readUsage } from "./usage.ts";

/**
 * Inputs per part for a worker that names no batch size. It is small enough for several workers to share a large request.
 */
const USUAL_BATCH = 64;
/**
 * Bytes of answers that one request holds until they are merged. 2,048 vectors of 4,096 floats take about 160 MiB as
 * JSON.
 */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** Failures of one part after which the request fails. */
const MAX_FAILURES = 3;

/** How a run ended: with an answer to every part, or with one that was refused. */
export interface EmbeddingOutcome {
  readonly answers: readonly (PartAnswer & { readonly whole: WholeAnswer })[];
  readonly refused: WholeAnswer | undefined;
}

/** The parts of one request on their way. Each is a job, with a worker, a slot and an end. */
export class EmbeddingRun {
  readonly #ports: LlmPorts;
  readonly #call: LlmCall;
  readonly #standing: Standing;
  readonly model: string;
  readonly #bodyBytes: number;
  readonly #charge: EmbeddingRequest["charge"];
  readonly #startedAt: number;
  readonly reports = new PartReports();
  /** The model that served the last part: another name than the one asked for, if workers list the model under that. */
  servedModel: string;
  /** Undefined for a single input, whose request is passed on unchanged. */
  readonly #cutter: PartCutter | undefined;
  readonly #whole: Part;
  readonly #answers: (PartAnswer & { readonly whole: WholeAnswer })[] = [];
  /** Aborts every part's job: the client left, or the request has failed. */
  readonly #stop = new AbortController();
  #wholeTaken = false;
  /** Requests made to workers so far. */
  #sent = 0;
  /** Loops that pull parts now. */
  #runners = 0;
  /** Whether a part has had a slot: from then on the request is accepted, and a full queue does not end it. */
  #wasAccepted = false;
  /** Failures of each part, by the offset of its first input. */
  readonly #failures = new Map<number, number>();
  /** Workers that failed a part, and get no more of this request. */
  #failed: Excluded = NONE_EXCLUDED;
  /** Bytes of all answers that are held. */
  #held = 0;
  #refused: WholeAnswer | undefined;
  #error: unknown;

  constructor(ports: LlmPorts, call: LlmCall, { body, model, input, standing, charge }: EmbeddingRequest) {
    this.#ports = ports;
    this.#call = call;
    this.#standing = standing;
    this.model = model;
    this.#bodyBytes = body.length;
    this.#charge = charge;
    this.#startedAt = ports.deps.clock.elapsed();
    this.servedModel = model;
    this.#cutter = input.isPlural && input.count > 1 ? new PartCutter(body) : undefined;
    this.#whole = { offset: 0, count: input.count, body };
  }

  /** Runs until every part is answered, one was refused, or the request failed. Rejects with a `Fault` or `ClientGone`. */
  async finish(): Promise<EmbeddingOutcome> {
    const { signal } = this.#call.visit.request;
    const leave = (): void => this.#stop.abort();
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    await this.#run();
    signal.removeEventListener("abort", leave);
    if (this.#error !== undefined) throw this.#error;
    if (signal.aborted) throw new ClientGone("the client left");
    this.#answers.sort((a, b) => a.offset - b.offset);
    return { answers: this.#answers, refused: this.#refused };
  }

  /** Counts the request, which all parts together served. `status` is that of its answer; undefined without one. */
  ended(end: JobEnd, status: number | undefined): void {
    const { area, deps } = this.#ports;
    const { caller, visit } = this.#call;
    const joined = this.reports.join(caller, end, status, deps.clock.elapsed() - this.#startedAt);
    area.ended({
      requestId: visit.requestId,
      caller,
      model: this.model,
      charge: this.#charge,
      bytesIn: this.#bodyBytes,
      ...joined,
    });
  }

  /** Pulls parts until none is left, and starts another runner for each slot that is free meanwhile. Never rejects. */
  async #run(): Promise<void> {
    this.#runners += 1;
    const others: Promise<void>[] = [];
    while (this.#hasMore && !this.#stop.signal.aborted) {
      const pulled = this.#pull();
      if (this.#runners < this.#ports.config.llmMaxParallelEmbeddings && this.#hasMore && this.#hasRoom)
        others.push(this.#run());
      await pulled;
      // Only the last runner waits for a slot: one request takes one place in the queue.
      if (this.#runners > 1 && !this.#hasRoom) break;
    }
    this.#runners -= 1;
    await Promise.all(others);
  }

  get #hasMore(): boolean {
    return this.#cutter ? !this.#cutter.isEmpty : !this.#wholeTaken;
  }

  get #demand(): Demand {
    const { workerId, caller } = this.#call;
    return { model: this.model, exact: true, excluded: this.#failed, workerId, tenant: caller.tenant };
  }

  get #hasRoom(): boolean {
    return this.#ports.area.pool.hasRoomFor({
      caller: this.#call.caller,
      ...this.#standing,
      charge: this.#charge,
      demand: this.#demand,
    });
  }

  /** Runs one job for one part, or for less if a retry's worker takes smaller parts. Never rejects. */
  async #pull(): Promise<void> {
    const { area, config, deps, salts } = this.#ports;
    const { caller } = this.#call;
    const ends = new AnswerEnds();
    let part: Part | undefined;
    let served: Claim | undefined;
    try {
      const whole = await collect({
        pool: area.pool,
        clock: deps.clock,
        spec: {
          requestId: this.#call.visit.requestId,
          caller,
          ...this.#standing,
          charge: this.#charge,
          kind: "embeddings",
          ...this.#demand,
          wasAccepted: this.#wasAccepted,
          ...patienceFor(config, false),
          stallMs: config.clientStallTimeoutMs,
          request: (claim) => {
            if (part) this.#putBack(part);
            served = claim;
            this.servedModel = claim.model;
            this.#wasAccepted = true;
            part = this.#take(claim);
            if (!part) return undefined;
            const body = salts.salted(bodyFor(claim, this.model, part.body), caller, claim);
            return toExchangeRequest(this.#ports, this.#call, { id: this.#nextId(), stream: false, body });
          },
        },
        takeRoom: (bytes) => {
          this.#held += bytes;
          return this.#held <= MAX_ANSWER_BYTES;
        },
        signal: this.#stop.signal,
        observe: (bytes) => ends.push(bytes),
        onReport: (report) => {
          const usage = readUsage(ends);
          if (this.reports.add(report, usage)) area.partEnded(report, usage);
        },
      });
      if (whole && part) this.#accept(part, whole, served);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (part && error instanceof Fault && RETRIED.has(error.code) && this.#mayRetry(part, served)) return;
      this.#error = error;
      this.#stop.abort();
    }
  }

  /** The backend's id of the next request. Parts run at the same time, and none of them is the client's request. */
  #nextId(): string {
    const { requestId } = this.#call.visit;
    this.#sent += 1;
    return this.#cutter ? `${requestId}-${this.#sent}` : attemptId(requestId, this.#sent);
  }

  #take(claim: Claim): Part | undefined {
    if (this.#cutter) return this.#cutter.next(claim.embeddingBatchSize ?? USUAL_BATCH);
    if (this.#wholeTaken) return undefined;
    this.#wholeTaken = true;
    return this.#whole;
  }

  #putBack(part: Part): void {
    if (this.#cutter) this.#cutter.putBack(part);
    else this.#wholeTaken = false;
  }

  #accept(part: Part, whole: WholeAnswer, served: Claim | undefined): void {
    if (whole.status >= 200 && whole.status < 300) {
      this.#answers.push({ offset: part.offset, count: part.count, body: whole.body, whole });
      return;
    }
    // Another backend may not be broken or busy, but a request that one backend rejects would be rejected by all.
    if (this.#cutter && (whole.status >= 500 || whole.status === 429) && this.#mayRetry(part, served)) return;
    this.#refused ??= whole;
    this.#stop.abort();
  }

  /** Puts a failed part back for other workers. Returns false if it has failed too often, or no other worker serves it. */
  #mayRetry(part: Part, served: Claim | undefined): boolean {
    const failures = (this.#failures.get(part.offset) ?? 0) + 1;
    this.#failures.set(part.offset, failures);
    if (served) this.#failed = served.exclude(this.#failed);
    const { pool } = this.#ports.area;
    if (failures >= MAX_FAILURES || !pool.hasOther(this.#demand)) return false;
    this.#putBack(part);
    this.reports.putBack();
    return true;
  }
}

/** Faults of one worker that another may not have. */
const RETRIED: ReadonlySet<string> = new Set([
  "worker_lost",
  "upstream_error",
  "upstream_unreachable",
  "upstream_timeout",
]);
