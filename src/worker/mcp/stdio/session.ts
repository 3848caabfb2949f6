import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { StdioChild } from "./child.ts";
import { RecentEvents } from "./recent-events.ts";

export interface SessionOptions {
  readonly createId: () => string;
  readonly createChild: (onMessage: (message: JSONRPCMessage) => void, onExit: (reason: string) => void) => StdioChild;
  /** Its client has ended it, or its child has ended. Called once. */
  readonly onEnded: () => void;
}

/** When a client whose stream broke should ask for the rest. */
const RETRY_MS = 1000;

/** Calls that are open at once, of which it is known where their progress belongs. */
const MAX_OPEN = 10_000;

/**
 * One client's session with one child: the SDK's transport speaks HTTP to the client, and what passes between the two is
 * put on the stream it belongs to.
 */
export class StdioSession {
  readonly #options: SessionOptions;
  readonly #http: WebStandardStreamableHTTPServerTransport;
  readonly #child: StdioChild;
  /** Calls that the child has not answered yet, in order of coming. */
  readonly #open = new Set<RequestId>();
  readonly #byToken = new Map<RequestId, RequestId>();
  #requests = 0;
  #hasEnded = false;
  /** `Clock.elapsed` of the last request's end; kept by the owner. */
  lastUsedAt = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#http = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: options.createId,
      eventStore: new RecentEvents(),
      retryInterval: RETRY_MS,
      onsessionclosed: () => void this.end(),
    });
    this.#http.onmessage = (message) => this.#toChild(message);
    this.#child = options.createChild(
      (message) => this.#toClient(message),
      () => void this.end(),
    );
  }

  /** Undefined until the client's first request was served. */
  get id(): string | undefined {
    return this.#http.sessionId;
  }

  /** Requests that are being served: streams as well. */
  get isBusy(): boolean {
    return this.#requests > 0;
  }

  async handle(request: Request): Promise<Response> {
    this.#requests += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.#requests -= 1;
      isOver = true;
    };
    request.signal.addEventListener("abort", over, { once: true });
    const response = await this.#http.handleRequest(request);
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (isStream && response.body) {
      // Open for as long as client or child like: the end of the stream is the end of the request.
      const watched = response.body.pipeThrough(new TransformStream({ flush: over }));
      return new Response(watched, { status: response.status, headers: response.headers });
    }
    over();
    return response;
  }

  /** Ends the child, and with it the session; open calls are cut. */
  async end(): Promise<void> {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#options.onEnded();
      await this.#http.close();
    }
    await this.#child.close();
  }

  #toChild(message: JSONRPCMessage): void {
    if (isJSONRPCRequest(message)) {
      if (this.#open.size < MAX_OPEN) this.#open.add(message.id);
      const token = message.params?._meta?.progressToken;
      if (token !== undefined) this.#byToken.set(token, message.id);
    }
    if (!this.#child.send(message)) void this.end();
  }

  #toClient(message: JSONRPCMessage): void {
    const relatedRequestId = this.#relatedTo(message);
    // A stream that its client has left has no place for it.
    this.#http.send(message, relatedRequestId === undefined ? {} : { relatedRequestId }).catch(() => {});
  }

  /** The call on whose stream a message belongs; undefined for the stream that belongs to none. */
  #relatedTo(message: JSONRPCMessage): RequestId | undefined {
    if (isJSONRPCResponse(message)) {
      const { id } = message;
      if (id !== undefined) this.#forget(id);
      return id;
    }
    if (isJSONRPCNotification(message) && message.method === "notifications/progress") {
      const token = message.params?.["progressToken"];
      return typeof token === "string" || typeof token === "number" ? this.#byToken.get(token) : undefined;
    }
    // A child says nothing of why it asks: most likely for the call that came last and is still open.
    const isAsking =
      isJSONRPCRequest(message) || (isJSONRPCNotification(message) && message.method === "notifications/message");
    return isAsking ? [...this.#open].at(-1) : undefined;
  }

  #forget(id: RequestId): void {
    this.#open.delete(id);
    for (const [token, of] of this.#byToken) if (of === id) this.#byToken.delete(token);
  }
}
