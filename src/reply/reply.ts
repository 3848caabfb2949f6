import type { CancelTimer, Clock } from "../system/deps.ts";
import type { ResponseHead } from "../wire/heads.ts";
import { type LineState, lineStateAfter } from "../wire/line-state.ts";
import { bodyKind } from "./body-kind.ts";
import { CreditedStream, type StreamSource } from "./credited-stream.ts";
import { separator } from "./sse.ts";
import { wholeResponse } from "./whole-response.ts";

/** The producer of a reply's bytes, and of the few things in which replies differ. */
export interface ReplySource extends StreamSource {
  /** The headers for the client. `isEventStream`: whether the answer is one, plain or compressed. */
  toHeaders(head: ResponseHead, isEventStream: boolean): Headers;
  /**
   * Returns the comment that keeps a quiet stream open; undefined if none may follow at this position. Called for plain
   * event streams only.
   */
  toComment(lineState: LineState): Uint8Array | undefined;
}

export interface ReplyPorts {
  readonly clock: Clock;
  /** Longest time that a plain event stream stays quiet before it gets a comment. */
  readonly keepaliveMs: number;
}

const encoder = new TextEncoder();

/**
 * One answer on its way to one client. A small answer becomes a response with a whole body; any other becomes a stream
 * that takes bytes at the client's pace. A quiet event stream is kept open with comments.
 *
 * Calls must come in this order: `begin` once (or `openEvents` in its place), `write` any number of times, then one of
 * `complete`, `endWithEvent` and `cut`. `cut` may come at any time before.
 */
export class Reply {
  readonly #source: ReplySource;
  readonly #ports: ReplyPorts;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (reason: unknown) => void;
  #head: ResponseHead | undefined;
  #isEventStream = false;
  /** The body is a plain event stream, so comments and events of our own may be put into it. */
  #takesText = false;
  /** Bytes that came before there was a stream to put them in. */
  #held: Uint8Array[] = [];
  #stream: CreditedStream | undefined;
  #isComplete = false;
  /** The position in the event stream after the source's bytes; not tracked for other bodies. */
  #lineState: LineState = "boundary";
  #wroteAt = 0;
  #stopTicking: CancelTimer | undefined;

  /** `resolve` is called with the response; `reject` instead, if the answer fails before there is one. */
  constructor(
    source: ReplySource,
    ports: ReplyPorts,
    resolve: (response: Response) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#source = source;
    this.#ports = ports;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** True for an answer that is an event stream by its type, plain or compressed. */
  get isEventStream(): boolean {
    return this.#isEventStream;
  }

  /** True once a response with a plain event stream has begun, which `endWithEvent` can end. */
  get takesEvents(): boolean {
    return this.#takesText && this.#stream !== undefined;
  }

  /** Takes the answer's head. The response is made one microtask later: a small answer is whole by then. */
  begin(head: ResponseHead): void {
    const kind = bodyKind(head);
    this.#head = head;
    this.#isEventStream = kind !== "other";
    this.#takesText = kind === "events";
    queueMicrotask(() => this.#respond(head));
  }

  /** Responds with an open event stream before there is an answer: 200 with these headers, and a comment at once. */
  openEvents(headers: Headers): void {
    this.#isEventStream = true;
    this.#takesText = true;
    this.#open(200, headers);
  }

  /** Passes on bytes of the answer. */
  write(bytes: Uint8Array): void {
    if (this.#stream) this.#write(this.#stream, bytes);
    else this.#held.push(bytes);
  }

  /** Puts a comment of our own into an open event stream. Only before the first `write`. */
  remark(comment: Uint8Array): void {
    this.#stream?.writeOwn(comment);
  }

  /** Completes the answer. */
  complete(): void {
    this.#stopTicking?.();
    this.#isComplete = true;
    this.#stream?.close();
  }

  /** Ends a plain event stream cleanly, with an event of our own as its last one. Only while `takesEvents`. */
  endWithEvent(event: string): void {
    this.#stream?.writeOwn(encoder.encode(separator(this.#lineState) + event));
    this.complete();
  }

  /** Gives up an incomplete answer: rejects if there is no response yet, else cuts the connection. */
  cut(reason: unknown): void {
    this.#stopTicking?.();
    if (this.#stream) return this.#stream.error(reason);
    this.#head = undefined;
    this.#reject(reason);
  }

  #respond(head: ResponseHead): void {
    // It was cut in the meantime, and `reject` has been called.
    if (this.#head === undefined) return;
    const headers = this.#source.toHeaders(head, this.#isEventStream);
    if (this.#isComplete) this.#resolve(wholeResponse(head.status, headers, this.#held));
    else this.#open(head.status, headers);
  }

  #open(status: number, headers: Headers): void {
    const stream = new CreditedStream(this.#source);
    this.#stream = stream;
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#write(stream, bytes);
    this.#resolve(new Response(stream.stream, { status, headers }));
    if (!this.#takesText) return;
    // Bun sends the head with the first bytes of the body, and a stream may have nothing to say for hours.
    if (held.length === 0) this.#comment(stream);
    this.#tickAfter(this.#ports.keepaliveMs);
  }

  #write(stream: CreditedStream, bytes: Uint8Array): void {
    stream.write(bytes);
    if (!this.#takesText) return;
    this.#wroteAt = this.#ports.clock.elapsed();
    this.#lineState = lineStateAfter(bytes, this.#lineState);
  }

  #comment(stream: CreditedStream): void {
    const comment = this.#source.toComment(this.#lineState);
    if (comment) stream.writeOwn(comment);
    // With or without a comment, the next one is due a whole interval later.
    this.#wroteAt = this.#ports.clock.elapsed();
  }

  #tickAfter(ms: number): void {
    this.#stopTicking = this.#ports.clock.after(ms, () => this.#tick());
  }

  #tick(): void {
    const { clock, keepaliveMs } = this.#ports;
    const stream = this.#stream;
    if (!stream) return;
    if (clock.elapsed() - this.#wroteAt >= keepaliveMs) {
      // A client that does not read what it has needs no more.
      if (stream.isCongested) this.#wroteAt = clock.elapsed();
      else this.#comment(stream);
    }
    this.#tickAfter(Math.max(1, this.#wroteAt + keepaliveMs - clock.elapsed()));
  }
}

/**
 * Forbids proxies on the way to hold events back or to change them. `cacheControl` replaces the usual value, for an answer
 * whose own is to be kept.
 */
export function addStreamHeaders(headers: Headers, cacheControl = "no-cache, no-transform"): void {
  headers.set("cache-control", cacheControl);
  headers.set("x-accel-buffering", "no");
}
