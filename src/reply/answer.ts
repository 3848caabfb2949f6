import { ClientGone } from "../http/body.ts";
import { nameServedModel, nameWorkers, toClientHeaders, toPrintable } from "../http/headers.ts";
import { Job } from "../pool/job.ts";
import type { JobEnd, JobReport, JobSink, JobSpec } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import type { ResponseHead } from "../wire/heads.ts";
import type { LineState } from "../wire/line-state.ts";
import { bodyKind } from "./body-kind.ts";
import { LateAnswer, type StreamError } from "./late-answer.ts";
import { addStreamHeaders, Reply, type ReplySource } from "./reply.ts";
import { comment } from "./sse.ts";
import { UsageEventCut } from "./usage-event-cut.ts";

/** The parts that all answers of a plugin's jobs share. */
export interface AnswerPorts {
  readonly pool: Pool;
  readonly clock: Clock;
  /** How long a streaming request waits for a real status before its headers go out as 200. */
  readonly earlyHeadersMs: number;
  readonly keepaliveMs: number;
  /** Whether clients are told which worker served them, and why. They are not, unless given. */
  readonly explainRouting?: boolean;
}

/** One request to answer with a job. */
export interface AnswerRequest {
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /**
   * Whether the client asked for an event stream, which may be opened before the worker answers. A promise for a request
   * that states this late; until it is resolved, nothing is sent before the worker's answer.
   */
  readonly isStream: boolean | Promise<boolean>;
  readonly spec: JobSpec;
  /**
   * Whether its requests may ask a worker for the usage of the stream, which the client has not asked for. The event in
   * which the answer then states it is removed. Absent: no.
   */
  readonly isMetered?: boolean;
  /** Writes an error as an event of the API that was called. */
  readonly errorEvent: (error: StreamError) => string;
  /** Sees every byte of the answer on its way. MUST be quick: it runs for every chunk. */
  readonly observe: (bytes: Uint8Array) => void;
  /** Called once, at the job's end. */
  readonly onReport: (report: JobReport) => void;
}

const encoder = new TextEncoder();

/**
 * Runs a job and answers with what its worker answers. Resolves when there is something to send: the worker's answer, or
 * an open event stream for a streaming request that has waited long. Rejects with a `Fault` or `ClientGone`.
 */
export function answerWithJob(ports: AnswerPorts, request: AnswerRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Answer(ports, request, resolve, reject).start();
  });
}

/** A job's answer: a reply that may be opened early, and that reports failures in its event stream. */
class Answer implements JobSink, ReplySource {
  readonly #ports: AnswerPorts;
  readonly #request: AnswerRequest;
  readonly #job: Job;
  readonly #reply: Reply;
  /** True until the answer begins or the job ends. The stream may be opened early only while this is true. */
  #isWaiting = true;
  /** The stream was opened as 200 before the worker had answered. */
  #isOpenedEarly = false;
  #lateAnswer: LateAnswer | undefined;
  /** Undefined for an answer of which nothing has to be removed. */
  #cut: UsageEventCut | undefined;
  #cancelEarly: CancelTimer | undefined;

  constructor(
    ports: AnswerPorts,
    request: AnswerRequest,
    resolve: (response: Response) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#ports = ports;
    this.#request = request;
    this.#reply = new Reply(this, ports, resolve, reject);
    this.#job = new Job(ports.pool, ports.clock, request.spec, this, request.onReport);
  }

  start(): void {
    const { signal, isStream } = this.#request;
    signal.addEventListener("abort", () => this.#job.cancel());
    if (isStream === true) this.#openAfterWait();
    else if (isStream !== false) void isStream.then((is) => is && this.#openAfterWait());
    this.#job.start();
    // A signal that is aborted already fires no event.
    if (signal.aborted) this.#job.cancel();
  }

  #openAfterWait(): void {
    if (!this.#isWaiting) return;
    this.#cancelEarly = this.#ports.clock.after(this.#ports.earlyHeadersMs, () => this.#openEarly());
  }

  /** Opens the stream with 200 and a comment. From now on errors can only be reported in the stream. */
  #openEarly(): void {
    this.#isOpenedEarly = true;
    const headers = new Headers({
      "content-type": "text/event-stream; charset=utf-8",
      "x-request-id": this.#request.requestId,
      "x-content-type-options": "nosniff",
    });
    addStreamHeaders(headers);
    this.#reply.openEvents(headers);
  }

  onHead(head: ResponseHead): void {
    this.#stopWaiting();
    if (head.metered && this.#request.isMetered && bodyKind(head) === "events")
      this.#cut = new UsageEventCut((bytes) => this.#reply.write(bytes));
    if (!this.#isOpenedEarly) return this.#reply.begin(head);
    this.#explainLate();
    if (bodyKind(head) !== "events") this.#lateAnswer = new LateAnswer(head);
  }

  /** Says in a comment what the headers of the stream, which went out before there was a worker, could not. */
  #explainLate(): void {
    const { claim } = this.#job;
    if (!this.#ports.explainRouting || !claim) return;
    const { id, server } = claim.worker;
    const where = server === undefined ? "" : ` server=${server}`;
    const text = `worker=${toPrintable(id)}${where} reason=${claim.route.reason}`;
    this.#reply.remark(encoder.encode(comment(text)));
  }

  onData(bytes: Uint8Array): void {
    this.#request.observe(bytes);
    if (this.#cut) {
      const removed = this.#cut.push(bytes);
      // The client takes the rest, and with it returns the worker's credit.
      if (removed > 0) this.#job.consumed(removed);
      return;
    }
    if (!this.#lateAnswer) return this.#reply.write(bytes);
    this.#lateAnswer.push(bytes);
    this.#job.consumed(bytes.length);
  }

  onEnd(end: JobEnd): void {
    this.#stopWaiting();
    this.#cut?.end();
    switch (end.kind) {
      case "complete":
        return this.#lateAnswer ? this.#endWithError(this.#lateAnswer.toError()) : this.#reply.complete();
      case "canceled":
        return this.#reply.cut(new ClientGone("the client left"));
      case "failed":
        // Any other body is cut, so that it cannot look complete.
        return this.#reply.takesEvents ? this.#endWithError(end.fault) : this.#reply.cut(end.fault);
      default:
        return end satisfies never;
    }
  }

  consumed(bytes: number): void {
    this.#job.consumed(bytes);
  }

  cancel(): void {
    this.#job.cancel();
  }

  toHeaders(head: ResponseHead, isEventStream: boolean): Headers {
    const { requestId, spec } = this.#request;
    const headers = toClientHeaders(head.headers, requestId);
    const served = this.#job.claim?.model ?? spec.model;
    if (served !== spec.model) nameServedModel(headers, served);
    const { claim } = this.#job;
    if (this.#ports.explainRouting && claim) nameWorkers(headers, [claim.worker], claim.route.reason);
    if (isEventStream) addStreamHeaders(headers, headers.get("cache-control") ?? undefined);
    return headers;
  }

  /**
   * Returns a comment of one line, which may follow any complete line. It states the job's place in the queue while it
   * waits, and the limit of its key if that is what it waits for.
   */
  toComment(lineState: LineState): Uint8Array | undefined {
    if (lineState === "inside") return undefined;
    const { position, limit } = this.#job;
    if (position === 0) return encoder.encode(comment("keep-alive"));
    return encoder.encode(comment(`queued position=${position}${limit === undefined ? "" : ` limit=${limit}`}`));
  }

  #endWithError(error: StreamError): void {
    this.#reply.endWithEvent(this.#request.errorEvent(error));
  }

  #stopWaiting(): void {
    this.#isWaiting = false;
    this.#cancelEarly?.();
  }
}
