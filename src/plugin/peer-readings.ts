import { isRecord, parseJson } from "../json/parse.ts";
import type { Clock, Log } from "../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import type { Admitted, PeerHandler, Refusal } from "../tunnel/peer-handler.ts";
import type { PeerExchanges } from "./cluster.ts";
import { LineReading } from "./line-reading.ts";
import { LinesAnswer } from "./lines-answer.ts";

/** The kind of exchange with which a server reads what another one keeps, on behalf of an operator. */
export const READING_KIND = "reading";

/** How long an answer may take, from the question to the last line. */
export const READING_MS = 10_000;

/** Reads what all servers of a cluster keep. */
export interface PeerReadings {
  /** The id of this server. */
  readonly serverId: string;
  /**
   * Answers the questions that other servers ask under a name. `question` comes from another server, so it MUST be checked.
   * The lines are JSON without line breaks, and are read while they are sent.
   */
  answer(name: string, read: (question: unknown) => Iterable<string> | Promise<Iterable<string>>): void;
  /** Asks all other servers at once. Never rejects. */
  ask(name: string, question: unknown): Promise<PeerAnswers>;
}

export interface PeerAnswers {
  /** The lines of each server that has answered completely. */
  readonly answers: ReadonlyMap<string, readonly unknown[]>;
  /** The ids of the servers that have not, in the order of their names. */
  readonly missing: readonly string[];
}

/** The answers that a server gets that is the only one. */
export const NO_PEERS: PeerAnswers = { answers: new Map(), missing: [] };

export interface PeerReadingsOptions {
  readonly serverId: string;
  readonly exchanges: Pick<PeerExchanges, "sessionTo" | "serve">;
  /** Returns the ids of all other servers, including those that left recently. */
  readonly peers: () => Iterable<string>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reads over the links between servers, so that long answers neither delay other messages nor need NATS. */
export class LinkReadings implements PeerReadings, PeerHandler {
  readonly serverId: string;
  readonly #options: PeerReadingsOptions;
  readonly #answers = new Map<string, Parameters<PeerReadings["answer"]>[1]>();

  constructor(options: PeerReadingsOptions) {
    this.#options = options;
    this.serverId = options.serverId;
    options.exchanges.serve(READING_KIND, this);
  }

  answer(name: string, read: Parameters<PeerReadings["answer"]>[1]): void {
    this.#answers.set(`/${name}`, read);
  }

  async ask(name: string, question: unknown): Promise<PeerAnswers> {
    const peers = [...this.#options.peers()].sort();
    const read = await Promise.all(peers.map((peer) => this.#askOne(peer, name, question)));
    const answers = new Map<string, readonly unknown[]>();
    const missing: string[] = [];
    for (const [at, peer] of peers.entries()) {
      const lines = read[at];
      if (lines) answers.set(peer, lines);
      else missing.push(peer);
    }
    return { answers, missing };
  }

  admit({ head }: { readonly head: ExchangeRequest["head"] }): Admitted | Refusal {
    const read = this.#answers.get(head.path);
    if (!read) return { ok: false, code: "canceled", message: "this server has no reading of this name" };
    const { clock, log } = this.#options;
    return {
      ok: true,
      open({ body }: ExchangeRequest, sink: ExchangeSink): Exchange {
        const question = body instanceof Uint8Array ? parseJson(new TextDecoder().decode(body)) : undefined;
        const lines = isRecord(question) ? Promise.resolve().then(() => read(question)) : Promise.resolve([]);
        return new LinesAnswer({ lines, sink, clock, log });
      },
      onEnd: () => {},
      onSettled: () => {},
    };
  }

  /** Resolves to the lines of a server; to undefined if it has not sent all of them in time. */
  #askOne(peer: string, name: string, question: unknown): Promise<readonly unknown[] | undefined> {
    const { exchanges, clock, log } = this.#options;
    const session = exchanges.sessionTo(peer);
    if (!session) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const reading = new LineReading((lines, end: ExchangeEnd) => {
        cancelTimer();
        if (!lines) log.warn("cluster.reading_failed", { peer, reading: name, end: end.kind });
        resolve(lines);
      });
      const head = { kind: READING_KIND, method: "POST", path: `/${name}`, headers: [] };
      const body = new TextEncoder().encode(JSON.stringify(question));
      const cancelTimer = clock.after(READING_MS, () => exchange.cancel("timeout"));
      const exchange: Exchange = session.open({ head, body }, reading);
      reading.begin(exchange);
    });
  }
}
