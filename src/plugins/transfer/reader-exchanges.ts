import { declaredLength } from "../../http/body.ts";
import type { Clock } from "../../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Admitted, PeerHandler, Refusal } from "../../tunnel/peer-handler.ts";
import type { RequestHead } from "../../wire/heads.ts";
import type { LocalEnd } from "./ends.ts";
import type { FarEnds } from "./far-ends.ts";
import { toStream } from "./inflow-stream.ts";
import type { Outcome } from "./passage.ts";
import { ticketIn, toOutcomeHead } from "./reader-head.ts";

/** A transfer to a reader of this server, from a writer of another one. */
export interface Receiving {
  readonly id: string;
  readonly reader: LocalEnd;
  readonly source: ReadableStream<Uint8Array>;
  /** The headers of the writer's request that matter to the reader. */
  readonly writer: Headers;
  readonly length: number | undefined;
  /** Aborted when no more bytes will come. */
  readonly writerSignal: AbortSignal;
  readonly onEnded: (outcome: Outcome) => void;
}

/** Serves the exchanges by which other servers send the bytes of their writers to readers of this server. */
export function createReaderExchanges(
  farEnds: FarEnds,
  clock: Clock,
  receive: (receiving: Receiving) => void,
): PeerHandler {
  return {
    admit({ head }): Admitted | Refusal {
      const waiting = farEnds.find(ticketIn(head));
      if (waiting?.role !== "reader") return { ok: false, code: "canceled", message: "the reader has left" };
      farEnds.take(ticketIn(head));
      return {
        ok: true,
        open: (request, sink) => new Reading(waiting.id, waiting.end, request, sink, clock, receive),
        onEnd: () => {},
        onSettled: () => {},
      };
    },
  };
}

/** One such exchange: its body is the response to the reader, and its answer says how the transfer ended. */
class Reading implements Exchange {
  readonly #sink: ExchangeSink;
  readonly #abort = new AbortController();
  readonly lastProgressAt: number;
  readonly isWaitingForUs = false;
  #hasEnded = false;

  constructor(
    id: string,
    reader: LocalEnd,
    { head, body }: ExchangeRequest,
    sink: ExchangeSink,
    clock: Clock,
    receive: (receiving: Receiving) => void,
  ) {
    this.#sink = sink;
    this.lastProgressAt = clock.elapsed();
    const writer = toHeaders(head);
    const receiving: Receiving = {
      id,
      reader,
      source: toStream(body),
      writer,
      length: declaredLength(writer),
      writerSignal: this.#abort.signal,
      onEnded: (outcome) => {
        if (this.#hasEnded) return;
        this.#sink.onHead(toOutcomeHead(outcome));
        this.#end({ kind: "complete" });
      },
    };
    // A reader that has just left ends the exchange at once, but the sink must not be called yet.
    queueMicrotask(() => receive(receiving));
  }

  consumed(): void {}

  /** The writer's server has given up or is gone, so bytes are missing. */
  cancel(): void {
    if (this.#hasEnded) return;
    this.#end({ kind: "canceled" });
    this.#abort.abort();
  }

  #end(end: ExchangeEnd): void {
    this.#hasEnded = true;
    this.#sink.onEnd(end);
    this.#sink.onSettled();
  }
}

function toHeaders({ headers }: RequestHead): Headers {
  const made = new Headers();
  for (const [name, value] of headers) made.append(name, value);
  return made;
}
