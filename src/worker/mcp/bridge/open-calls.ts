import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type ProgressToken,
  type RequestId,
} from "@modelcontextprotocol/server";

/** One client's calls that its peer has not answered yet, and which of them a message of the peer belongs to. */
export class OpenCalls {
  /** In order of coming; the value is the call's progress token. */
  readonly #open = new Map<RequestId, ProgressToken | undefined>();
  readonly #byToken = new Map<ProgressToken, RequestId>();

  get size(): number {
    return this.#open.size;
  }

  get ids(): readonly RequestId[] {
    return [...this.#open.keys()];
  }

  add({ id, params }: JSONRPCRequest): void {
    const token = params?._meta?.progressToken;
    this.#open.set(id, token);
    if (token !== undefined) this.#byToken.set(token, id);
  }

  /** A cancelled call gets no answer, and one that is answered is over. */
  delete(id: RequestId): void {
    const token = this.#open.get(id);
    this.#open.delete(id);
    if (token !== undefined && this.#byToken.get(token) === id) this.#byToken.delete(token);
  }

  /** The call on whose stream a message belongs; undefined for the stream that belongs to none. */
  relatedTo(message: JSONRPCMessage): RequestId | undefined {
    if (isJSONRPCResponse(message)) return message.id;
    if (isJSONRPCRequest(message)) return this.#newest();
    if (!isJSONRPCNotification(message)) return undefined;
    if (message.method === "notifications/progress") {
      const token = message.params?.["progressToken"];
      return typeof token === "string" || typeof token === "number" ? this.#byToken.get(token) : undefined;
    }
    return message.method === "notifications/message" ? this.#newest() : undefined;
  }

  /** A peer says nothing of why it asks or logs: most likely for the call that came last and is still open. */
  #newest(): RequestId | undefined {
    return this.ids.at(-1);
  }
}
