import { isRecord, parseJson } from "../json/parse.ts";
import type { Clock, Log } from "../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import type { Admitted, PeerHandler, Refusal } from "../tunnel/peer-handler.ts";
import { Inflow } from "../wire/inflow.ts";
import type { RequestBody } from "../wire/pump.ts";
import type { PeerExchanges } from "./cluster.ts";
import { LineReading } from "./line-reading.ts";
import { LinesAnswer } from "./lines-answer.ts";

/** The kind of exchange with which a server reads what another one keeps, on behalf of an operator. */
export const READING_KIND = "reading";

/** How long an answer may take, from the question to the last line. */
export const READING_MS = 10_000;
/** The most answers that are being sent at any time. Further questions are refused, and this server is missing in their answers. */
export const MAX_ANSWERING = 32;
/** The largest question. One for a plot by tenant has the ids of all keys of the tenants that used most. */
const MAX_QUESTION_BYTES = 4 * 1024 * 1024;

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
  /** How many answers are being sent. */
  #answering = 0;

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
    if (this.#answering >= MAX_ANSWERING)
      return { ok: false, code: "busy", message: "this server sends too many readings already", free: 0 };
    const { clock, log } = this.#options;
    return {
      ok: true,
      open: ({ body }: ExchangeRequest, sink: ExchangeSink): Exchange => {
        this.#answering += 1;
        const lines = questionIn(body).then(read);
        const onEnded = (): void => {
          this.#answering -= 1;
        };
        return new LinesAnswer({ lines, sink, clock, log, onEnded });
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

/** Reads a question. Rejects if it is none, because an empty answer would pass for the answer of a server that keeps nothing. */
async function questionIn(body: RequestBody): Promise<unknown> {
  const question = parseJson(new TextDecoder().decode(await bytesOf(body)));
  if (!isRecord(question)) throw new Error("another server has sent a question that cannot be read");
  return question;
}

/** Resolves to all bytes of a body. A long question arrives in pieces. Never settles if the question is given up on its way. */
async function bytesOf(body: RequestBody): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  if (!(body instanceof Inflow)) throw new Error("another server's question is no body of a link");
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const take = (): void => {
      for (let piece = body.take(); piece; piece = body.take()) {
        bytes += piece.length;
        pieces.push(piece);
      }
      if (bytes > MAX_QUESTION_BYTES) {
        body.drop();
        reject(new Error("another server has sent a question that is too long"));
      } else if (body.isDone) resolve(Buffer.concat(pieces));
    };
    body.read(take);
    take();
  });
}
