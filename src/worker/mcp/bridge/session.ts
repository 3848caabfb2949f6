import {
  isInitializeRequest,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Answer } from "../../../answering/opening.ts";
import type { Clock } from "../../../system/deps.ts";
import { AnswerForms, type WholeAnswer } from "./answer-forms.ts";
import { boundedStream } from "./bounded-stream.ts";
import { type RawAnswer, renamedAnswer } from "./direct/plain-answer.ts";
import type { PlainCall } from "./direct/plain-call.ts";
import { StreamsToCome } from "./direct/streams-to-come.ts";
import { jsonAnswer, jsonResponse } from "./json-response.ts";
import { isNotification, isRequest, isResponse } from "./message-kinds.ts";
import { OpenCalls } from "./open-calls.ts";
import { MAX_MESSAGE_BYTES, type OpenPeer, type Peer } from "./peer.ts";
import { RecentEvents, type ReplayRoom } from "./recent-events.ts";
import { RPC, rpcError } from "./rpc-error.ts";

export interface SessionOptions {
  readonly id: string;
  readonly openPeer: OpenPeer;
  readonly replayRoom: ReplayRoom;
  readonly clock: Clock;
  /** Called once, when the client has ended the session or the peer has ended. */
  readonly onEnded: () => void;
}

/** How long a client whose stream broke should wait before it asks for the rest. */
const RETRY_MS = 1000;
/** The most calls open at once: far more than a client makes, too few to fill the memory. */
const MAX_OPEN = 10_000;
/** The most bytes of one stream that a client may leave unread: twice the largest message. */
const MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES;

/**
 * One client's session with a peer of its own. The SDK's transport speaks HTTP to the client, and each message between
 * the two goes to the stream it belongs to. The first message opens the peer.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #http: WebStandardStreamableHTTPServerTransport;
  readonly #calls = new OpenCalls();
  readonly #forms: AnswerForms;
  readonly #events: RecentEvents;
  /** The calls that the peer got in their own bytes. The transport does not know them unless they are answered by event streams. */
  readonly #direct = new StreamsToCome();
  #peer: Peer | undefined;
  #requests = 0;
  #isEstablished = false;
  #ended: Promise<void> | undefined;
  /** Resolves once the calls that were open at the end have been answered. */
  #answered = Promise.resolve();
  #lastUsedAt: number;
  #mayBeLeft = true;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#lastUsedAt = options.clock.elapsed();
    this.#forms = new AnswerForms(options.clock);
    this.#events = new RecentEvents(options.replayRoom);
    this.#http = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => options.id,
      eventStore: this.#events,
      retryInterval: RETRY_MS,
      // The public server keeps quiet streams alive.
      keepAliveMs: 0,
      onsessionclosed: () => {
        void this.end("its client has ended the session");
        // The transport closes its streams afterwards.
        return this.#answered;
      },
    });
    this.#http.onmessage = (message) => this.#toPeer(message);
  }

  /** Whether a client has opened the session and it has not ended. */
  get isOpen(): boolean {
    return this.#http.sessionId !== undefined && this.#ended === undefined;
  }

  /** How long no request has been served, in milliseconds; 0 while one is, streams included. */
  get idleMs(): number {
    return this.#requests > 0 ? 0 : this.#options.clock.elapsed() - this.#lastUsedAt;
  }

  /**
   * Whether its client has probably left: no call is open, and it closed its last stream, broke off its last request, or has
   * sent nothing since the session opened.
   */
  get isLeft(): boolean {
    return this.#requests === 0 && this.#calls.size === 0 && this.#mayBeLeft;
  }

  /** Whether calls may be passed on in their own bytes. */
  get takesBytes(): boolean {
    return this.#isEstablished && this.isOpen && this.#peer?.forward !== undefined;
  }

  /**
   * Serves a call in its own bytes. Its head MUST be one that `sessionIn` lets pass. Resolves with undefined if it has to be handled like
   * any other: the peer has refused it, or has got it and more belongs to its answer than the result. Rejects as `handle` does.
   */
  async forward(call: PlainCall, signal: AbortSignal): Promise<Answer | undefined> {
    const { message } = call;
    const { id } = message;
    if (!this.takesBytes || signal.aborted || this.#calls.has(id) || this.#direct.has(id)) return undefined;
    if (this.#calls.size >= MAX_OPEN || this.#peer?.forward?.(call) !== true) return undefined;
    this.#calls.add(message);
    this.#direct.add(id);
    const over = this.#enter(signal, false);
    const whole = await this.#forms.decide(id);
    if (!whole && !signal.aborted) {
      this.#direct.begin(id);
      over(false);
      return undefined;
    }
    this.#direct.delete(id);
    over(false);
    if (!whole) throw new Error("the client has left");
    const body = whole.raw && renamedAnswer(whole.raw, id);
    return jsonAnswer(body ?? whole.message, whole.status, this.#sessionHeader(this.#options.id));
  }

  /** Serves a request; `message` is its body, if it has one. Rejects when the client leaves before the answer begins. */
  async handle(request: Request, message: unknown): Promise<Response> {
    const over = this.#enter(request.signal, isInitializeRequest(message));
    const response = await this.#serve(request, message).catch((error: unknown) => {
      over(true);
      throw error;
    });
    if (response.body && response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
      // The stream is open for as long as client or peer want; the request ends with it.
      const body = boundedStream(response.body, MAX_UNREAD_BYTES, () => over(request.method === "GET"));
      return new Response(body, { status: response.status, headers: response.headers });
    }
    over(false);
    return response;
  }

  /** Counts a request. Returns what ends it; `isLeft` says that its client has broken it off. */
  #enter(signal: AbortSignal, isOpening: boolean): (isLeft: boolean) => void {
    this.#requests += 1;
    let isOver = false;
    const over = (isLeft: boolean): void => {
      if (isOver) return;
      isOver = true;
      this.#requests -= 1;
      this.#lastUsedAt = this.#options.clock.elapsed();
      this.#mayBeLeft = isLeft || isOpening;
      // Nobody knows the session that this request would have opened.
      if (isOpening && !this.#isEstablished) void this.end("its client did not get the session");
    };
    signal.addEventListener("abort", () => over(true), { once: true });
    if (signal.aborted) over(true);
    return over;
  }

  async #serve(request: Request, message: unknown): Promise<Response> {
    const id = isJSONRPCRequest(message) ? message.id : undefined;
    const isDirect = id !== undefined && this.#direct.hasBegun(id);
    const decided = id === undefined || isDirect ? undefined : this.#forms.decide(id);
    const response = await this.#http.handleRequest(request, message === undefined ? {} : { parsedBody: message });
    if (id === undefined) return response;
    if (isDirect) this.#direct.delete(id);
    // A request that was refused reaches no peer.
    if (!response.ok) this.#forms.begin(id);
    const whole = await decided;
    if (!whole && !request.signal.aborted) return response;
    await response.body?.cancel();
    if (!whole) throw new Error("the client has left");
    this.#retire(whole);
    const session = response.headers.get("mcp-session-id");
    return jsonResponse(whole.message, whole.status, this.#sessionHeader(session));
  }

  #sessionHeader(id: string | null): Readonly<Record<string, string>> {
    return id !== null && this.#isEstablished && !this.#ended ? { "mcp-session-id": id } : {};
  }

  /** Tells the transport that a call is over whose answer went another way. */
  #retire({ message: { id } }: WholeAnswer): void {
    if (id === undefined) return;
    const last = { jsonrpc: "2.0", id, result: {} } as const;
    this.#events.retire(last);
    this.#http.send(last).catch(() => {});
  }

  /** Ends the peer and the session. Open calls are answered with an error. */
  end(reason: string): Promise<void> {
    if (this.#ended !== undefined) return this.#ended;
    const peerEnded = this.#peer?.close();
    this.#answered = this.#failAll(reason);
    this.#ended = this.#answered
      .then(() => this.#http.close())
      .then(() => {
        this.#events.forget();
        this.#forms.close();
        return peerEnded;
      });
    this.#options.onEnded();
    return this.#ended;
  }

  async #failAll(reason: string): Promise<void> {
    await Promise.all(this.#calls.ids.map((id) => this.#fail(id, `The MCP server did not answer: ${reason}.`)));
  }

  #toPeer(message: JSONRPCMessage): void {
    if (isRequest(message) && this.#begin(message.id)) return;
    if (this.#ended !== undefined) {
      if (isRequest(message)) void this.#fail(message.id, "The session has ended.");
      return;
    }
    if (isRequest(message)) {
      if (this.#calls.size >= MAX_OPEN) return void this.#fail(message.id, "Too many calls are open.");
      this.#calls.add(message);
    } else if (isNotification(message) && message.method === "notifications/cancelled") {
      this.#noteCancelled(message.params?.["requestId"]);
    }
    this.#peer ??= this.#options.openPeer({
      onMessage: (answer, raw) => this.#toClient(answer, raw),
      onExit: (reason) => void this.end(reason),
    });
    if (!this.#peer.send(message)) void this.end("it accepts no more messages");
  }

  /** Begins the stream of a call that the peer has got already. Returns false for any other call. */
  #begin(id: RequestId): boolean {
    const held = this.#direct.take(id);
    for (const each of held ?? []) this.#send(each, id);
    return held !== undefined;
  }

  /** Removes a call that was cancelled; the peer may or may not still answer it. */
  #noteCancelled(id: unknown): void {
    if (typeof id === "string" || typeof id === "number") this.#calls.delete(id);
  }

  #toClient(message: JSONRPCMessage, raw?: RawAnswer): void {
    const relatedRequestId = this.#calls.relatedTo(message);
    if (isResponse(message)) {
      if (relatedRequestId !== undefined) this.#calls.delete(relatedRequestId);
      this.#isEstablished ||= "result" in message;
      if (this.#forms.finish({ message, status: 200, raw })) return;
    } else if (relatedRequestId !== undefined) this.#forms.begin(relatedRequestId);
    if (relatedRequestId === undefined || !this.#direct.hold(relatedRequestId, message))
      this.#send(message, relatedRequestId);
  }

  #send(message: JSONRPCMessage, relatedRequestId: RequestId | undefined): void {
    // Fails when the client has left the stream, and then nobody wants the message.
    this.#http.send(message, relatedRequestId === undefined ? {} : { relatedRequestId }).catch(() => {});
  }

  /** Answers a call that the peer will not answer. */
  async #fail(id: RequestId, reason: string): Promise<void> {
    const message = rpcError(RPC.internal, reason, id);
    if (this.#forms.finish({ message, status: 502 }) || this.#direct.hold(id, message)) return;
    await this.#http.send(message, { relatedRequestId: id }).catch(() => {});
  }
}
