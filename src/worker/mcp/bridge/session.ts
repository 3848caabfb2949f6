import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { boundedStream } from "./bounded-stream.ts";
import { OpenCalls } from "./open-calls.ts";
import { MAX_MESSAGE_BYTES, type OpenPeer, type Peer } from "./peer.ts";
import { RecentEvents, type ReplayRoom } from "./recent-events.ts";
import { RPC, rpcError } from "./rpc-error.ts";

export interface SessionOptions {
  readonly id: string;
  readonly openPeer: OpenPeer;
  readonly replayRoom: ReplayRoom;
  /** Its client has ended it, or its peer has ended. Called once. */
  readonly onEnded: () => void;
}

/** When a client whose stream broke should ask for the rest. */
const RETRY_MS = 1000;
/** Calls that may be open at once: far more than a client makes, and not enough to fill a memory. */
const MAX_OPEN = 10_000;
/** What a client may leave unread of one stream: the largest message, and as much again. */
const MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES;

/**
 * One client's session with a peer of its own, in the era of sessions: the SDK's transport speaks HTTP to the client, and
 * what passes between the two is put on the stream it belongs to. The peer is opened by the first message for it.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #http: WebStandardStreamableHTTPServerTransport;
  readonly #calls = new OpenCalls();
  readonly #events: RecentEvents;
  #peer: Peer | undefined;
  #requests = 0;
  #ended: Promise<void> | undefined;
  /** Resolves once the calls that were open at the end have been answered. */
  #told = Promise.resolve();
  /** `Clock.elapsed` of the last request; kept by the owner. */
  lastUsedAt = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#events = new RecentEvents(options.replayRoom);
    this.#http = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => options.id,
      eventStore: this.#events,
      retryInterval: RETRY_MS,
      // The public server sees to streams that are quiet.
      keepAliveMs: 0,
      onsessionclosed: () => {
        void this.end("its client has ended the session");
        // The transport closes its streams next.
        return this.#told;
      },
    });
    this.#http.onmessage = (message) => this.#toPeer(message);
  }

  /** Whether a client has opened it. */
  get isOpen(): boolean {
    return this.#http.sessionId !== undefined && this.#ended === undefined;
  }

  /** Requests are being served: streams as well. */
  get isBusy(): boolean {
    return this.#requests > 0;
  }

  /** `message` is the request's body, if it has one. */
  async handle(request: Request, message: unknown): Promise<Response> {
    this.#requests += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.#requests -= 1;
      isOver = true;
    };
    request.signal.addEventListener("abort", over, { once: true });
    if (request.signal.aborted) over();
    const response = await this.#http.handleRequest(request, message === undefined ? {} : { parsedBody: message });
    if (response.body && response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
      // Open for as long as client or peer like: the end of the stream is the end of the request.
      const body = boundedStream(response.body, MAX_UNREAD_BYTES, over);
      return new Response(body, { status: response.status, headers: response.headers });
    }
    over();
    return response;
  }

  /** Ends the peer, and with it the session. Calls that are open are answered with an error. */
  end(reason: string): Promise<void> {
    if (this.#ended !== undefined) return this.#ended;
    const peerEnded = this.#peer?.close();
    this.#told = this.#failAll(reason);
    this.#ended = this.#told
      .then(() => this.#http.close())
      .then(() => {
        this.#events.forget();
        return peerEnded;
      });
    this.#options.onEnded();
    return this.#ended;
  }

  async #failAll(reason: string): Promise<void> {
    await Promise.all(this.#calls.ids.map((id) => this.#fail(id, `The MCP server did not answer: ${reason}.`)));
  }

  #toPeer(message: JSONRPCMessage): void {
    if (this.#ended !== undefined) {
      if (isJSONRPCRequest(message)) void this.#fail(message.id, "The session has ended.");
      return;
    }
    if (isJSONRPCRequest(message)) {
      if (this.#calls.size >= MAX_OPEN) return void this.#fail(message.id, "Too many calls are open.");
      this.#calls.add(message);
    } else if (isJSONRPCNotification(message) && message.method === "notifications/cancelled") {
      this.#noteCancelled(message.params?.["requestId"]);
    }
    this.#peer ??= this.#options.openPeer({
      onMessage: (answer) => this.#toClient(answer),
      onExit: (reason) => void this.end(reason),
    });
    if (!this.#peer.send(message)) void this.end("it takes no more messages");
  }

  /** A call that was cancelled is not asked about any more; the peer may still answer it, or not. */
  #noteCancelled(id: unknown): void {
    if (typeof id === "string" || typeof id === "number") this.#calls.delete(id);
  }

  #toClient(message: JSONRPCMessage): void {
    const relatedRequestId = this.#calls.relatedTo(message);
    if (isJSONRPCResponse(message) && relatedRequestId !== undefined) this.#calls.delete(relatedRequestId);
    // A stream that its client has left has no place for it.
    this.#http.send(message, relatedRequestId === undefined ? {} : { relatedRequestId }).catch(() => {});
  }

  async #fail(id: RequestId, message: string): Promise<void> {
    await this.#http.send(rpcError(RPC.internal, message, id), { relatedRequestId: id }).catch(() => {});
  }
}
