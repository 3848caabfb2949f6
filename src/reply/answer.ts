import { Fault } from "../errors.ts";
import { ClientGone } from "../http/body.ts";
import { toClientHeaders } from "../http/headers.ts";
import { isRecord, parseJson } from "../json/parse.ts";
import { Job, type JobEnd, type JobReport, type JobSink, type JobSpec } from "../pool/job.ts";
import type { Pool } from "../pool/pool.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import type { ResponseHead } from "../wire/frame.ts";
import { CreditedStream } from "./credited-stream.ts";
import { comment, type LineState, lineStateAfter, separator } from "./sse.ts";

/** What all relayed requests of a plugin share. */
export interface RelayPorts {
  readonly pool: Pool;
  readonly clock: Clock;
  /** How long a streaming request waits for a real status before its headers go out as 200. */
  readonly earlyHeadersMs: number;
  readonly keepaliveMs: number;
}

/** One request to relay. */
export interface RelayRequest {
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /**
   * Whether the client asked for an event stream, which is kept alive, and told of errors in its stream. A promise where
   * the request says so only further on; until then nothing is sent ahead of the worker's answer.
   */
  readonly isStream: boolean | Promise<boolean>;
  readonly spec: JobSpec;
  /** An error as an event of the API that was called. */
  readonly errorEvent: (fault: Fault) => string;
  /** Sees every byte of the answer on its way; must not keep the path busy. */
  readonly observe: (bytes: Uint8Array) => void;
  readonly onReport: (report: JobReport) => void;
}

const encoder = new TextEncoder();

/** What of an unexpected answer is kept to be told in an event, when the stream's 200 had to go out before it. */
const TOLD_ANSWER_BYTES = 64 * 1024;

/**
 * Runs a job and answers with what its worker answers. Resolves when there is something to say: the worker's answer,
 * or, for a stream that has waited long, an open event stream. Rejects with a `Fault`, or `ClientGone`.
 */
export function relay(ports: RelayPorts, request: RelayRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const answer = new Answer(ports, request, resolve, reject);
    answer.start();
  });
}

class Answer implements JobSink {
  readonly #ports: RelayPorts;
  readonly #request: RelayRequest;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  readonly #job: Job;
  readonly #leave = (): void => this.#job.cancel();
  #isStream = false;
  #head: ResponseHead | undefined;
  /** Bytes that came before there was a stream to put them in. */
  #held: Uint8Array[] = [];
  #stream: CreditedStream | undefined;
  /** The stream was opened as 200 before the worker had answered. */
  #openedEarly = false;
  /** After such an opening the worker answered with something that is no event stream: gathered here. */
  #told: { readonly status: number; readonly pieces: Uint8Array[]; bytes: number } | undefined;
  #ended: JobEnd | undefined;
  #lineState: LineState = "boundary";
  #wroteAt = 0;
  #stopTicking: CancelTimer | undefined;

  constructor(
    ports: RelayPorts,
    request: RelayRequest,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#ports = ports;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#job = new Job(ports.pool, ports.clock, request.spec, this, request.onReport);
  }

  start(): void {
    const { signal, isStream } = this.#request;
    signal.addEventListener("abort", this.#leave);
    if (isStream === true) this.#beginStream();
    else if (isStream !== false) void isStream.then((is) => is && !this.#ended && this.#beginStream());
    this.#job.start();
    // Gone already: there will be no event for it.
    if (signal.aborted) this.#leave();
  }

  #beginStream(): void {
    this.#isStream = true;
    this.#tickAfter(this.#ports.earlyHeadersMs);
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    if (!this.#openedEarly) {
      // One turn later: a small answer is whole by then and needs no stream.
      return queueMicrotask(() => this.#answer(head));
    }
    if (!isEventStream(head)) this.#told = { status: head.status, pieces: [], bytes: 0 };
  }

  onData(bytes: Uint8Array): void {
    this.#request.observe(bytes);
    if (this.#told) return this.#gather(this.#told, bytes);
    if (this.#stream) this.#write(this.#stream, bytes);
    else this.#held.push(bytes);
  }

  onEnd(end: JobEnd): void {
    this.#ended = end;
    this.#stopTicking?.();
    if (this.#stream) return this.#finish(this.#stream, end);
    // With a head there is an answer under way, which looks at the end by itself.
    if (this.#head && end.kind !== "failed") return;
    this.#head = undefined;
    this.#reject(end.kind === "failed" ? end.fault : new ClientGone("the client left before there was an answer"));
  }

  #answer(head: ResponseHead): void {
    // A failure between the head and this turn was told as an error status.
    if (this.#head === undefined) return;
    const headers = toClientHeaders(head.headers, this.#request.requestId);
    if (this.#ended?.kind === "complete") {
      // Never a view on shared memory, which is all that the wider type allows beside this one.
      const body = (this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)) as Uint8Array<ArrayBuffer>;
      // 204, 205 and 304 must not have a body, not even an empty one.
      const isBodyless = head.status === 204 || head.status === 205 || head.status === 304;
      return this.#resolve(new Response(isBodyless ? null : body, { status: head.status, headers }));
    }
    if (isEventStream(head)) addStreamHeaders(headers);
    this.#resolve(new Response(this.#openStream(), { status: head.status, headers }));
  }

  /** The waiting has been long: 200 and a comment, and from now on errors are told in the stream. */
  #answerEarly(): void {
    this.#openedEarly = true;
    const headers = new Headers({
      "content-type": "text/event-stream; charset=utf-8",
      "x-request-id": this.#request.requestId,
      "x-content-type-options": "nosniff",
    });
    addStreamHeaders(headers);
    this.#resolve(new Response(this.#openStream(), { status: 200, headers }));
  }

  #openStream(): ReadableStream<Uint8Array> {
    const opened = new CreditedStream({
      onTaken: (bytes) => this.#job.consumed(bytes),
      onCancel: () => this.#job.cancel(),
    });
    this.#stream = opened;
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#write(opened, bytes);
    if (this.#ended) this.#finish(opened, this.#ended);
    return opened.stream;
  }

  #write(stream: CreditedStream, bytes: Uint8Array): void {
    stream.write(bytes);
    if (!this.#isStream) return;
    this.#wroteAt = this.#ports.clock.elapsed();
    this.#lineState = lineStateAfter(bytes, this.#lineState);
  }

  #gather(told: { readonly pieces: Uint8Array[]; bytes: number }, bytes: Uint8Array): void {
    if (told.bytes < TOLD_ANSWER_BYTES) told.pieces.push(bytes);
    told.bytes += bytes.length;
    this.#job.consumed(bytes.length);
  }

  #finish(stream: CreditedStream, end: JobEnd): void {
    switch (end.kind) {
      case "complete":
        if (this.#told) this.#writeText(stream, this.#request.errorEvent(toldFault(this.#told)));
        return stream.close();
      case "canceled":
        // The client is gone; erroring a stream that it cancelled does nothing, one that it did not is cut.
        return stream.error(new ClientGone("the client left"));
      case "failed":
        if (!this.#isOurStream()) return stream.error(end.fault);
        this.#writeText(stream, separator(this.#lineState) + this.#request.errorEvent(end.fault));
        return stream.close();
      default:
        return end satisfies never;
    }
  }

  /** An event stream takes an error event; any other body is cut, so that it cannot look complete. */
  #isOurStream(): boolean {
    return this.#openedEarly || (this.#head !== undefined && isEventStream(this.#head));
  }

  #writeText(stream: CreditedStream, text: string): void {
    stream.writeOwn(encoder.encode(text));
    this.#wroteAt = this.#ports.clock.elapsed();
  }

  #tickAfter(ms: number): void {
    this.#stopTicking = this.#ports.clock.after(ms, () => this.#tick());
  }

  #tick(): void {
    if (this.#ended) return;
    if (!this.#stream) {
      // A head without a stream: the answer is about to be made.
      if (this.#head) return this.#tickAfter(this.#ports.keepaliveMs);
      this.#answerEarly();
    }
    const quietMs = this.#ports.clock.elapsed() - this.#wroteAt;
    if (
      this.#stream &&
      quietMs >= this.#ports.keepaliveMs &&
      this.#isOurStream() &&
      this.#lineState !== "inside" &&
      !this.#stream.isCongested
    ) {
      const { position } = this.#job;
      this.#writeText(this.#stream, comment(position > 0 ? `queued position=${position}` : "keep-alive"));
    }
    this.#tickAfter(
      Math.max(
        1,
        Math.min(this.#ports.keepaliveMs, this.#wroteAt + this.#ports.keepaliveMs - this.#ports.clock.elapsed()),
      ),
    );
  }
}

/** An event stream in plain text: in a compressed one nothing of ours could be put between its lines. */
function isEventStream(head: ResponseHead): boolean {
  const value = (wanted: string): string | undefined =>
    head.headers.find(([name]) => name.toLowerCase() === wanted)?.[1].toLowerCase();
  return (
    value("content-type")?.startsWith("text/event-stream") === true &&
    (value("content-encoding") ?? "identity") === "identity"
  );
}

/** Proxies on the way must neither hold events back nor change them. */
function addStreamHeaders(headers: Headers): void {
  headers.set("cache-control", "no-cache, no-transform");
  headers.set("x-accel-buffering", "no");
}

/** What a backend said when it answered late with something that is no event stream. */
function toldFault(told: { readonly status: number; readonly pieces: readonly Uint8Array[] }): Fault {
  const text = new TextDecoder().decode(Buffer.concat(told.pieces));
  const said = errorMessage(text) ?? text;
  return new Fault("upstream_error", { message: `The model server answered ${told.status}: ${said.slice(0, 2000)}` });
}

/** The message in an error body as OpenAI's API has it. */
function errorMessage(text: string): string | undefined {
  const json = parseJson(text);
  const error = isRecord(json) ? json["error"] : undefined;
  return isRecord(error) && typeof error["message"] === "string" ? error["message"] : undefined;
}
