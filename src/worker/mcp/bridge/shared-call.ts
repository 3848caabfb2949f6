import { isJSONRPCErrorResponse, type JSONRPCMessage, type JSONRPCResponse } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock } from "../../../system/deps.ts";
import { jsonResponse } from "./json-response.ts";
import { MAX_MESSAGE_BYTES } from "./peer.ts";
import { RPC } from "./rpc-error.ts";

export interface SharedCallOptions {
  readonly clock: Clock;
  /** Whether the client accepts an event stream; without it only the result is sent, as JSON. */
  readonly acceptsEvents: boolean;
  /** Called when the client has left a started answer, or reads it too slowly. */
  readonly onLeft: () => void;
}

/**
 * How long the head of an answer waits for the result. After that an event stream begins, which the public server keeps
 * alive with comments: proxies cut silent answers after 60 s, and the public server itself after `REQUEST_TIMEOUT`.
 */
const QUIET_MS = 10_000;
/** The most bytes that a client may leave unread: twice the largest message. */
const MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES;
const EVENTS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
const encoder = new TextEncoder();

/**
 * The answer to one stateless request: JSON if the result comes soon and alone, an event stream if messages precede it or it
 * takes longer.
 */
export class SharedCall {
  readonly #options: SharedCallOptions;
  readonly #answer = Promise.withResolvers<Response>();
  readonly #cancelTimer: CancelTimer;
  #events: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(options: SharedCallOptions) {
    this.#options = options;
    this.#cancelTimer = options.acceptsEvents ? options.clock.after(QUIET_MS, () => this.#begin()) : () => {};
  }

  /** Rejects when the client left before there was an answer. */
  get answer(): Promise<Response> {
    return this.#answer.promise;
  }

  /** Sends a message that precedes the result. */
  tell(message: JSONRPCMessage): void {
    if (!this.#options.acceptsEvents) return;
    this.#begin();
    this.#write(message);
  }

  /** Sends the result and ends the answer. `failedStatus` is the status of an error that the MCP server did not send. */
  finish(message: JSONRPCResponse, failedStatus?: number): void {
    this.#cancelTimer();
    if (!this.#events) return this.#answer.resolve(jsonResponse(message, failedStatus ?? statusOf(message)));
    if (this.#write(message)) this.#events.close();
  }

  /** Drops the answer of a call whose client has disconnected. */
  drop(): void {
    this.#cancelTimer();
    this.#answer.reject(new Error("the client has left"));
  }

  #begin(): void {
    if (this.#events) return;
    this.#cancelTimer();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#events = controller;
        },
        cancel: () => this.#options.onLeft(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    );
    this.#answer.resolve(new Response(body, { headers: EVENTS }));
  }

  /** Returns false when the client reads too slowly, which ends the call. */
  #write(message: JSONRPCMessage): boolean {
    const events = this.#events;
    if (!events) return false;
    events.enqueue(encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`));
    if ((events.desiredSize ?? 0) > 0) return true;
    events.error(new Error("its reader is too slow"));
    this.#options.onLeft();
    return false;
  }
}

/** Returns the HTTP status that stateless revisions give to some errors. */
function statusOf(message: JSONRPCResponse): number {
  if (!isJSONRPCErrorResponse(message)) return 200;
  const { code } = message.error;
  if (code === RPC.methodNotFound) return 404;
  return code <= RPC.headerMismatch && code > RPC.headerMismatch - 10 ? 400 : 200;
}
