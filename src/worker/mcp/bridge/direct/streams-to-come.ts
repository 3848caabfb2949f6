import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/server";

interface Coming {
  /** Whether the transport is asked to begin the stream. */
  hasBegun: boolean;
  /** What the stream will begin with. */
  readonly held: JSONRPCMessage[];
}

/** Calls of one session that were passed on past the transport, and may yet need one of its event streams. */
export class StreamsToCome {
  readonly #coming = new Map<RequestId, Coming>();

  add(id: RequestId): void {
    this.#coming.set(id, { hasBegun: false, held: [] });
  }

  has(id: RequestId): boolean {
    return this.#coming.has(id);
  }

  /** Notes that the transport will get the call, to begin its stream. */
  begin(id: RequestId): void {
    const coming = this.#coming.get(id);
    if (coming) coming.hasBegun = true;
  }

  hasBegun(id: RequestId): boolean {
    return this.#coming.get(id)?.hasBegun === true;
  }

  /** Keeps a message until its stream is there. Returns false if it is, or none will be. */
  hold(id: RequestId, message: JSONRPCMessage): boolean {
    const coming = this.#coming.get(id);
    coming?.held.push(message);
    return coming !== undefined;
  }

  /** Takes what was held for a stream that is there now; undefined for a call that the transport gives to the peer first. */
  take(id: RequestId): readonly JSONRPCMessage[] | undefined {
    const coming = this.#coming.get(id);
    if (coming?.hasBegun !== true) return undefined;
    this.#coming.delete(id);
    return coming.held;
  }

  delete(id: RequestId): void {
    this.#coming.delete(id);
  }
}
