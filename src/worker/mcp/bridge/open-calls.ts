import type { JSONRPCMessage, JSONRPCRequest, ProgressToken, RequestId } from "@modelcontextprotocol/server";
import { isRequest, isResponse } from "./message-kinds.ts";

/** One client's calls that its peer has not answered yet. It finds the call that a message of the peer belongs to. */
export class OpenCalls {
  /** Progress tokens by the ids of their calls, in order of arrival. */
  readonly #open = new Map<RequestId, ProgressToken | undefined>();
  readonly #byToken = new Map<ProgressToken, RequestId>();

  get size(): number {
    return this.#open.size;
  }

  has(id: RequestId): boolean {
    return this.#open.has(id);
  }

  get ids(): readonly RequestId[] {
    return [...this.#open.keys()];
  }

  add({ id, params }: JSONRPCRequest): void {
    const token = params?._meta?.progressToken;
    this.#open.set(id, token);
    if (token !== undefined) this.#byToken.set(token, id);
  }

  /** Removes a call that was cancelled or answered. */
  delete(id: RequestId): void {
    const token = this.#open.get(id);
    this.#open.delete(id);
    if (token !== undefined && this.#byToken.get(token) === id) this.#byToken.delete(token);
  }

  /** Returns the call to whose stream a message belongs; undefined for the stream that belongs to no call. */
  relatedTo(message: JSONRPCMessage): RequestId | undefined {
    if (isResponse(message)) return message.id;
    if (isRequest(message)) return this.#newest();
    if (message.method === "notifications/progress") {
      const token = message.params?.["progressToken"];
      return typeof token === "string" || typeof token === "number" ? this.#byToken.get(token) : undefined;
    }
    return message.method === "notifications/message" ? this.#newest() : undefined;
  }

  /** Returns the newest open call. A peer's request or log message names no call, and most likely belongs to this one. */
  #newest(): RequestId | undefined {
    return this.ids.at(-1);
  }
}
