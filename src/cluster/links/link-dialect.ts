import type { Dialect, Wire } from "../../tunnel/dialect.ts";
import type { Lane } from "../../tunnel/exchange.ts";
import { ReceiveCredit } from "../../wire/credit.ts";
import { encodeRequest, encodeReset, type ResetCode } from "../../wire/frame.ts";
import type { RequestHead } from "../../wire/heads.ts";
import type { Batch } from "./batch.ts";

/**
 * The largest body that is sent to a peer together with its head. A larger one waits for the peer's first credit, which means
 * that the peer has a slot, so that no large body is sent for nothing.
 */
export const WHOLE_BODY_BYTES = 64 * 1024;

/**
 * Creates the dialect in which a server sends requests to a peer: native frames, written into the batch of the link.
 * `windowBytes` is how much of a response this server holds for a slow client.
 */
export function createLinkDialect(batch: Batch, windowBytes: number): Dialect {
  return {
    name: "native",
    sendWindow: 0,
    wholeBytes: WHOLE_BODY_BYTES,
    maxRequestBytes: Number.POSITIVE_INFINITY,
    createReceiveCredit: () => new ReceiveCredit(windowBytes),
    // A message of a link has frames for both of its ends, so the connection decodes it.
    decode: () => ({ type: "ignored" }),
    createLane: (id, wire) => new LinkLane(id, wire, batch),
    drainMessage: () => undefined,
    handoverMessage: () => undefined,
    forget: () => {},
  };
}

class LinkLane implements Lane {
  readonly #id: number;
  readonly #wire: Wire;
  readonly #batch: Batch;

  constructor(id: number, wire: Wire, batch: Batch) {
    this.#id = id;
    this.#wire = wire;
    this.#batch = batch;
  }

  hasRoom(): boolean {
    return this.#wire.hasRoom();
  }

  request(head: RequestHead, body: Uint8Array, end: boolean): void {
    this.#batch.frame(encodeRequest(this.#id, head, body, end));
  }

  data(body: Uint8Array, end: boolean): void {
    this.#batch.requestData(this.#id, body, end);
  }

  credit(bytes: number): void {
    this.#batch.credit(this.#id, bytes);
  }

  reset(code: ResetCode, message: string): boolean {
    this.#batch.frame(encodeReset(this.#id, code, message));
    return true;
  }
}
