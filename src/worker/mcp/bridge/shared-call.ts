import { isJSONRPCErrorResponse, type JSONRPCMessage, type JSONRPCResponse } from "@modelcontextprotocol/server";
import { MAX_MESSAGE_BYTES } from "./peer.ts";
import { RPC } from "./rpc-error.ts";

/** The most bytes that a client may leave unread: twice the largest message. */
const MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES;
const EVENTS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
const encoder = new TextEncoder();

/** The answer to one stateless request: JSON if there is only a result, an event stream if messages precede it. */
export class SharedCall {
  readonly #answer = Promise.withResolvers<Response>();
  readonly #onLeft: () => void;
  #events: ReadableStreamDefaultController<Uint8Array> | undefined;

  /** `onLeft` is called when the client has left a started answer, or reads it too slowly. */
  constructor(onLeft: () => void) {
    this.#onLeft = onLeft;
  }

  /** Rejects when the client left before there was an answer. */
  get answer(): Promise<Response> {
    return this.#answer.promise;
  }

  /** Sends a message that precedes the result. */
  tell(message: JSONRPCMessage): void {
    this.#events ??= this.#begin();
    this.#write(message);
  }

  /** Sends the result and ends the answer. `failedStatus` is the status of an error that the MCP server did not send. */
  finish(message: JSONRPCResponse, failedStatus?: number): void {
    if (!this.#events) {
      return this.#answer.resolve(Response.json(message, { status: failedStatus ?? statusOf(message) }));
    }
    if (this.#write(message)) this.#events.close();
  }

  /** Drops the answer of a call whose client has disconnected. */
  drop(): void {
    this.#answer.reject(new Error("the client has left"));
  }

  #begin(): ReadableStreamDefaultController<Uint8Array> {
    const opened: { controller?: ReadableStreamDefaultController<Uint8Array> } = {};
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          opened.controller = controller;
        },
        cancel: () => this.#onLeft(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    );
    this.#answer.resolve(new Response(body, { headers: EVENTS }));
    // `start` is called before the constructor returns.
    return opened.controller as ReadableStreamDefaultController<Uint8Array>;
  }

  /** Returns false when the client reads too slowly, which ends the call. */
  #write(message: JSONRPCMessage): boolean {
    const events = this.#events;
    if (!events) return false;
    events.enqueue(encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`));
    if ((events.desiredSize ?? 0) > 0) return true;
    events.error(new Error("its reader is too slow"));
    this.#onLeft();
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
