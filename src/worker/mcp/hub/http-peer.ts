import { SdkHttpError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  isInitializeRequest,
  isJSONRPCErrorResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
  type RequestId,
} from "@modelcontextprotocol/server";
import type { Backend } from "../../../answering/opening.ts";
import { parseJson } from "../../../json/parse.ts";
import type { Clock } from "../../../system/deps.ts";
import { isTooDeep, tooDeepError } from "../bridge/depth.ts";
import type { PlainAnswer } from "../bridge/direct/plain-answer.ts";
import type { PlainCall } from "../bridge/direct/plain-call.ts";
import { isErrorResponse, isRequest, isResponse } from "../bridge/message-kinds.ts";
import { ParamHeaders } from "../bridge/param-headers.ts";
import type { Peer, PeerEvents, PeerSource } from "../bridge/peer.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { DirectPosts, type Sent } from "./direct-posts.ts";
import { isGone, reasonOf } from "./http-failures.ts";

/** The most messages that the server has not taken yet. */
const MAX_UNTAKEN = 1000;
/** How long messages wait for the server to take the notification before them. */
const HOLD_MS = 3000;
/** How long the server may take to end a session. */
const LEAVE_MS = 2000;

const RECONNECTION = {
  initialReconnectionDelay: 1000,
  maxReconnectionDelay: 30_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 6,
};

/** Opens peers of an MCP server that speaks Streamable HTTP: a session each, or none in revisions without. */
export function httpPeers(backend: Backend, clock: Clock): PeerSource {
  const paramHeaders = new ParamHeaders();
  return { openPeer: (events) => new HttpPeer({ backend, clock, paramHeaders }, events), maybeStateless: true };
}

interface HttpPeerOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  /** What all peers of the server have learned. */
  readonly paramHeaders: ParamHeaders;
}

class HttpPeer implements Peer {
  readonly #events: PeerEvents;
  readonly #clock: Clock;
  readonly #paramHeaders: ParamHeaders;
  readonly #transport: StreamableHTTPClientTransport;
  readonly #direct: DirectPosts;
  /** Resolves once the last notification was taken, or should have been. */
  #before: Promise<unknown>;
  /** How many notifications hold others back. */
  #holds = 0;
  /** The requests without an answer. */
  readonly #open = new Map<RequestId, OpenRequest>();
  #openingId: RequestId | undefined;
  #untaken = 0;
  #hasEnded = false;
  #closing: Promise<void> | undefined;

  constructor({ backend, clock, paramHeaders }: HttpPeerOptions, events: PeerEvents) {
    this.#events = events;
    this.#paramHeaders = paramHeaders;
    this.#clock = clock;
    this.#direct = new DirectPosts({
      backend,
      onPlain: (answer) => this.#takePlain(answer),
      send: (message, abort, headers) => this.#sendAgain(message, abort, headers),
    });
    // The backend knows the server's own URL.
    this.#transport = new StreamableHTTPClientTransport(new URL("http://server.invalid/"), {
      fetch: this.#direct.fetch,
      reconnectionOptions: RECONNECTION,
    });
    this.#transport.onmessage = (message) => this.#receive(message);
    this.#before = this.#transport.start();
  }

  get isFull(): boolean {
    return this.#untaken >= MAX_UNTAKEN;
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#hasEnded) return false;
    const cancelled = "method" in message ? this.#cancelledBy(message) : undefined;
    if (cancelled) return this.#cancel(cancelled, message);
    if (this.isFull) {
      if (isRequest(message)) this.#fail(message.id, "it accepts no more messages");
      return true;
    }
    if (isRequest(message)) return this.#ask(message);
    if (!("method" in message)) return this.#post(message, {});
    this.#hold(message);
    return true;
  }

  forward(call: PlainCall): boolean {
    // What a notification holds back waits its turn.
    if (this.#hasEnded || this.isFull || this.#holds > 0) return false;
    void this.#forwarded(call, this.#begin(call.message));
    return true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  /** Returns the open request that a message cancels, if it does. It is not open any more. */
  #cancelledBy({ method, params }: JSONRPCRequest | JSONRPCNotification): OpenRequest | undefined {
    const id = method === "notifications/cancelled" ? params?.["requestId"] : undefined;
    if (typeof id !== "string" && typeof id !== "number") return undefined;
    const open = this.#open.get(id);
    this.#open.delete(id);
    return open;
  }

  /** Cancels a request, also at a server that takes nothing else any more. */
  #cancel({ abort, isStateless }: OpenRequest, message: JSONRPCMessage): boolean {
    // In revisions without sessions, closing the connection is how a client cancels.
    if (isStateless) abort.abort();
    else {
      this.#hold(message);
      // The answer is not wanted any more, and a server that gives none would use up the connections.
      void this.#before.then(() => abort.abort());
    }
    return true;
  }

  #ask(request: JSONRPCRequest): boolean {
    if (isInitializeRequest(request)) this.#openingId = request.id;
    const { abort, isStateless } = this.#begin(request);
    const headers = isStateless ? { headers: this.#paramHeaders.headersOf(request) } : {};
    return this.#post(request, { ...this.#optionsOf(request, abort), ...headers });
  }

  #begin({ id, params }: JSONRPCRequest): OpenRequest {
    const isStateless = params?._meta?.[PROTOCOL_VERSION_META_KEY] !== undefined;
    const open = { abort: new AbortController(), isStateless };
    this.#open.set(id, open);
    return open;
  }

  #optionsOf({ id }: JSONRPCRequest, { signal }: AbortController): SendOptions {
    return { requestSignal: signal, onRequestStreamEnd: () => this.#fail(id, "its answer ended too early") };
  }

  /** Sends a notification before everything that comes after it. */
  #hold(message: JSONRPCMessage): void {
    this.#holds += 1;
    this.#before = this.#atMost(HOLD_MS, this.#posted(message, {})).finally(() => {
      this.#holds -= 1;
    });
  }

  #post(message: JSONRPCMessage, options: SendOptions): boolean {
    void this.#posted(message, options);
    return true;
  }

  /** Sends a message. Resolves when the server has taken it, or has not. Nothing overtakes a notification that is taken soon. */
  async #posted(message: JSONRPCMessage, options: SendOptions): Promise<void> {
    this.#untaken += 1;
    try {
      await this.#before;
      if (!this.#hasEnded) await this.#transport.send(message, options);
    } catch (error) {
      this.#handleFailure(message, error);
    } finally {
      this.#untaken -= 1;
    }
  }

  /** Sends a call in its own bytes. The transport reads what is more than the result alone, as if it had sent the call itself. */
  async #forwarded(call: PlainCall, { abort }: OpenRequest): Promise<void> {
    this.#untaken += 1;
    try {
      const { sessionId, protocolVersion } = this.#transport;
      await this.#direct.post(call, abort, { id: sessionId, version: protocolVersion });
    } catch (error) {
      this.#handleFailure(call.message, error);
    } finally {
      this.#untaken -= 1;
    }
  }

  async #sendAgain(message: JSONRPCRequest, abort: AbortController, headers: Sent): Promise<void> {
    if (!this.#hasEnded) await this.#transport.send(message, { ...this.#optionsOf(message, abort), headers });
  }

  #handleFailure(message: JSONRPCMessage, error: unknown): void {
    if (isGone(error) && this.#transport.sessionId !== undefined) this.#handleGone();
    else if (isRequest(message)) this.#failBy(message.id, error);
  }

  /** Takes the result of a call that was sent in its own bytes, and has been looked at. */
  #takePlain({ message, raw }: PlainAnswer): void {
    const { id } = message;
    if (this.#hasEnded || id === undefined || !this.#open.delete(id)) return;
    if (!isErrorResponse(message)) this.#note(id, message.result);
    this.#events.onMessage(message, raw);
  }

  #receive(message: JSONRPCMessage): void {
    if (this.#hasEnded) return;
    const passed = isTooDeep(message) ? tooDeepError(message) : message;
    if (!passed) return;
    if (isResponse(passed)) {
      const { id } = passed;
      if (id === undefined || !this.#open.delete(id)) return;
      if (!isErrorResponse(passed)) this.#note(id, passed.result);
    }
    this.#events.onMessage(passed);
  }

  #note(id: RequestId, result: Readonly<Record<string, unknown>>): void {
    const version = result["protocolVersion"];
    if (id === this.#openingId && typeof version === "string") this.#transport.setProtocolVersion(version);
    this.#paramHeaders.learn(result);
  }

  /** Answers a request as its failure says: revisions without sessions have JSON-RPC errors in answers that say so by status. */
  #failBy(id: RequestId, error: unknown): void {
    const text = error instanceof SdkHttpError ? error.data?.text : undefined;
    const said = typeof text === "string" ? parseJson(text) : undefined;
    if (isJSONRPCErrorResponse(said)) this.#receive({ ...said, id });
    else this.#fail(id, reasonOf(error));
  }

  /** Answers a request that the server will not answer. */
  #fail(id: RequestId, reason: string): void {
    if (!this.#open.delete(id) || this.#hasEnded) return;
    queueMicrotask(() => {
      if (!this.#hasEnded)
        this.#events.onMessage(rpcError(RPC.internal, `The MCP server did not answer: ${reason}.`, id));
    });
  }

  #handleGone(): void {
    this.#end("its session has ended");
    void this.#closeTransport();
  }

  /** Marks the peer as ended, and reports it. */
  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    queueMicrotask(() => this.#events.onExit(reason));
  }

  async #leave(): Promise<void> {
    const left = this.#hasEnded ? undefined : this.#transport.terminateSession().catch(() => {});
    this.#end("it has been closed");
    await this.#atMost(LEAVE_MS, left);
    // Closing the transport aborts the request that ends the session as well.
    await this.#closeTransport();
  }

  /** Breaks off everything that is open. */
  async #closeTransport(): Promise<void> {
    this.#direct.close();
    await this.#transport.close();
  }

  /** Resolves like a promise that does not reject, or after so many milliseconds. */
  async #atMost(ms: number, promise: Promise<void> | undefined): Promise<void> {
    const isOver = Promise.withResolvers<void>();
    const cancelTimer = this.#clock.after(ms, isOver.resolve);
    await Promise.race([promise, isOver.promise]);
    cancelTimer();
  }
}

interface OpenRequest {
  /** Ends the request's connection. */
  readonly abort: AbortController;
  /** Whether it is one of revisions without sessions. */
  readonly isStateless: boolean;
}

type SendOptions = NonNullable<Parameters<StreamableHTTPClientTransport["send"]>[1]>;
