import type { PeerHandler } from "../../tunnel/peer-handler.ts";
import { encodeReset, type Frame } from "../../wire/frame.ts";
import { HTTP_KIND } from "../../wire/names.ts";
import type { Batch } from "./batch.ts";
import { ServedExchange } from "./served-exchange.ts";

/** Finds the handler of a kind of exchange. A kind that several plugins serve has one handler for each plugin. */
export interface PeerHandlers {
  find(kind: string, plugin: string | undefined): PeerHandler | undefined;
  /** The kinds that are served here. */
  readonly kinds: readonly string[];
}

export interface PeerServerOptions {
  readonly peerId: string;
  /** The parity of the ids of the peer's exchanges: 1 if the peer has dialled, else 0. */
  readonly parity: 0 | 1;
  readonly batch: Batch;
  readonly handlers: PeerHandlers;
  readonly windowBytes: number;
  readonly peerWindowBytes: number;
}

type RequestFrame = Extract<Frame, { readonly type: "request" }>;

/** Frames of a peer about exchanges that it has opened. */
export type AskingFrame = Extract<Frame, { readonly type: "request" | "request_data" | "credit" | "reset" }>;

/**
 * Serves the exchanges that one peer opens on one link. An exchange never goes on to another server, because handlers use
 * only what this server has.
 */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #running = new Map<number, ServedExchange>();
  readonly #forget = (id: number): void => {
    this.#running.delete(id);
  };
  #highestId = 0;

  constructor(options: PeerServerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Handles one frame. Returns how the peer broke the protocol; undefined if it did not. */
  handle(frame: AskingFrame): string | undefined {
    const { id } = frame;
    if (frame.type === "request") {
      if (id <= this.#highestId || id % 2 !== this.#options.parity)
        return `request with id ${id}, which is not new or not the peer's`;
      this.#highestId = id;
      this.#open(frame);
      return undefined;
    }
    if (id === 0 || id > this.#highestId) return `frame for exchange ${id}, which was never opened`;
    // Undefined when the exchange has just ended and the frame was already on its way.
    const exchange = this.#running.get(id);
    if (frame.type === "request_data") exchange?.handleData(frame.body, frame.end);
    else if (frame.type === "credit") exchange?.handleCredit(frame.bytes);
    else exchange?.handleReset(frame.code);
    return undefined;
  }

  /** Ends every exchange because the link is gone. */
  handleLost(): void {
    for (const exchange of [...this.#running.values()]) exchange.handleLost();
  }

  #open({ id, head, order, body, end }: RequestFrame): void {
    const { peerId, batch, handlers, windowBytes, peerWindowBytes } = this.#options;
    const kind = head.kind ?? HTTP_KIND;
    const handler = handlers.find(kind, order?.plugin);
    if (!handler)
      return batch.frame(
        encodeReset(id, "protocol_error", `no exchange of kind ${kind} is served to other servers here`),
      );
    const decision = handler.admit({ peerId, head, order });
    if (!decision.ok) {
      const { code, message, free } = decision;
      return batch.frame(encodeReset(id, code, message, free === undefined ? undefined : { free }));
    }
    const exchange = new ServedExchange({
      id,
      admitted: decision,
      batch,
      windowBytes,
      peerWindowBytes,
      onDone: this.#forget,
    });
    this.#running.set(id, exchange);
    exchange.start(head, body, end);
  }
}
