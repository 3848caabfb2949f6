import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone, declaredLength } from "../../http/body.ts";
import type { Listener } from "../../http/listener.ts";
import type { PeerExchanges } from "../../plugin/cluster.ts";
import type { EndedRequests } from "../../plugin/ended-requests.ts";
import type { Clock } from "../../system/deps.ts";
import { Idle } from "../../system/idle.ts";
import { CHANNEL_PREFIX_CHARS } from "../../system/server-id.ts";
import type { Sending } from "./channel-owner.ts";
import { type EndFacts, factsOf, type LocalEnd } from "./ends.ts";
import { toReaderHeaders } from "./headers.ts";
import { Outflow } from "./outflow.ts";
import { type Flow, type Outcome, Passage, type PassageOptions } from "./passage.ts";
import type { Receiving } from "./reader-exchanges.ts";
import { toChannelHead } from "./reader-head.ts";
import type { TransferFigures } from "./transfer-figures.ts";
import { TransferRate } from "./transfer-rate.ts";
import type { Running } from "./transfer-state.ts";

/** Six random characters distinguish the transfers of a server in the log. The other sixteen stay secret. */
const SHOWN_ID_CHARS = CHANNEL_PREFIX_CHARS + 6;

export interface FlowsOptions {
  readonly clock: Clock;
  readonly listener: Listener;
  readonly figures: TransferFigures;
  /** Longest time without a byte. */
  readonly stallMs: number;
  /** Takes note of each side's request; undefined where nobody counts them. */
  readonly endedRequests?: EndedRequests | undefined;
}

/** What a passage is made of, apart from its reader. */
type Bytes = Pick<PassageOptions, "source" | "length" | "isNative" | "writerSignal" | "onBytes" | "onEnded">;

/** The transfers whose bytes pass through this server: from client to client, to another server, or from one. */
export class Flows {
  readonly #options: FlowsOptions;
  readonly #running = new Set<Running>();
  readonly #idle = new Idle(() => this.#running.size === 0);

  constructor(options: FlowsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#running.size;
  }

  all(): Iterable<Running> {
    return this.#running;
  }

  /** Measures the rate of each transfer. To be called about once a second. */
  measure(): void {
    const now = this.#options.clock.elapsed();
    for (const { flow, rate } of this.#running) rate.look(flow.bytes, now);
  }

  /** Resolves when the last one has ended. */
  async allEnded(): Promise<void> {
    await this.#idle.wait();
  }

  /** Breaks off those that are left. */
  close(): void {
    for (const { flow } of [...this.#running]) flow.close();
  }

  /** Breaks off those of each made key for which `judge` returns an error. */
  endOf(judge: (keyId: string) => Fault | undefined): void {
    for (const { flow, keyIds } of [...this.#running]) if (keyIds.some((keyId) => judge(keyId))) flow.close();
  }

  /** Passes the bytes between two clients of this server. `onOver` is called when the transfer has ended. */
  join(reader: LocalEnd, writer: LocalEnd, id: string, onOver: () => void): void {
    const { figures } = this.#options;
    const { request: writing } = writer.visit;
    const length = declaredLength(writing.headers);
    const passage = this.#createPassage(reader, {
      source: writing.body,
      length,
      isNative: true,
      writerSignal: writing.signal,
      onBytes: (bytes) => figures.addBytes(bytes),
      onEnded: (outcome) => {
        onOver();
        this.#count(reader, outcome, "reader_gone");
        reader.caller.leave();
        this.#ended(running, outcome, writer, factsOf(reader));
      },
    });
    const running = this.#started(id, passage, length, [reader, writer]);
    reader.answer(
      new Response(passage.stream, { headers: toReaderHeaders(writing.headers, length, requestIdOf(reader)) }),
    );
    passage.start();
  }

  /**
   * Sends the bytes of a client of this server to the server of its reader. Returns false if that server cannot be reached.
   */
  send(exchanges: PeerExchanges, { id, writer, reader }: Sending): boolean {
    const session = exchanges.sessionTo(reader.server);
    if (!session) return false;
    const { clock, figures, stallMs } = this.#options;
    const { request } = writer.visit;
    const length = declaredLength(request.headers);
    const outflow = new Outflow({
      clock,
      session,
      head: toChannelHead(reader.ticket, request.headers, length),
      source: request.body,
      length,
      writerSignal: request.signal,
      stallMs,
      onBytes: (bytes) => figures.addBytes(bytes),
      onEnded: (outcome) => this.#ended(running, outcome, writer, reader.facts, reader.server),
    });
    const running = this.#started(id, outflow, length, [writer]);
    outflow.start();
    return true;
  }

  /** Passes bytes from another server to a client of this one. The writer's server counts the transfer. */
  receive({ id, reader, source, writer, length, writerSignal, onEnded }: Receiving): void {
    const passage = this.#createPassage(reader, {
      source,
      length,
      isNative: false,
      writerSignal,
      onBytes: () => {},
      onEnded: (outcome) => {
        this.#count(reader, outcome, "reader_gone");
        reader.caller.leave();
        onEnded(outcome);
        this.#stopped(running);
      },
    });
    const running = this.#started(id, passage, length, [reader]);
    reader.answer(new Response(passage.stream, { headers: toReaderHeaders(writer, length, requestIdOf(reader)) }));
    passage.start();
  }

  #createPassage({ visit: { request } }: LocalEnd, bytes: Bytes): Passage {
    const { clock, listener, stallMs } = this.#options;
    return new Passage({
      ...bytes,
      clock,
      readerSignal: request.signal,
      // Bun knows the address of a request for as long as its answer is being sent.
      isReaderBusy: () => listener.addressOf(request) !== undefined,
      stallMs,
      limitReader: () => listener.restoreIdleTimeout(request),
    });
  }

  #started(id: string, flow: Flow, length: number | undefined, sides: readonly LocalEnd[]): Running {
    const { clock } = this.#options;
    const begunAt = clock.elapsed();
    const rate = new TransferRate(begunAt);
    const keyIds = sides.flatMap(({ caller }) => caller.keyId ?? []);
    const shownId = id.slice(0, SHOWN_ID_CHARS);
    const running = { flow, length, startedAt: clock.now(), begunAt, shownId, rate, keyIds };
    this.#running.add(running);
    return running;
  }

  #ended(running: Running, outcome: Outcome, writer: LocalEnd, reader: EndFacts, readerServer?: string): void {
    const { clock, figures } = this.#options;
    const { bytes } = running.flow;
    const durationMs = clock.elapsed() - running.begunAt;
    const { route } = writer.caller;
    const endedAt = clock.now();
    figures.add({ outcome, bytes, durationMs, endedAt, reader, readerServer, writer: factsOf(writer), route });
    this.#count(writer, outcome, "writer_gone");
    writer.caller.leave();
    answerWriter(writer, outcome, bytes);
    this.#stopped(running);
  }

  /** Counts one side's request; `own` is the outcome of a transfer that this side has left. */
  #count({ caller }: LocalEnd, outcome: Outcome, own: Outcome): void {
    const ended = outcome === own ? "canceled" : outcome === "completed" ? "completed" : "failed";
    this.#options.endedRequests?.addOther({ caller, model: "transfer", outcome: ended, waitMs: 0, heldMs: 0 });
  }

  #stopped(running: Running): void {
    this.#running.delete(running);
    this.#options.figures.changes += 1;
    this.#idle.check();
  }
}

function requestIdOf({ visit }: LocalEnd): string {
  return visit.requestId;
}

/** Answers the writer. The reader gets the bytes: all of them, or a broken connection. */
function answerWriter(writer: LocalEnd, outcome: Outcome, bytes = 0): void {
  switch (outcome) {
    case "completed":
      return writer.answer(Response.json({ status: "ok", bytes }, { headers: { "cache-control": "no-store" } }));
    case "writer_gone":
      return writer.refuse(new ClientGone("it left while it sent"));
    case "closed":
      return writer.refuse(drainingFault());
    case "wrong_length":
      return writer.refuse(
        new Fault("invalid_request", { message: `${bytes} bytes arrived, which is not the declared length.` }),
      );
    case "reader_gone":
      return writer.refuse(new Fault("transfer_broken"));
    case "stalled":
      return writer.refuse(new Fault("transfer_broken", { message: "No byte moved for too long." }));
    default:
      return outcome satisfies never;
  }
}
