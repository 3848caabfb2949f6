import type { ActiveCaller } from "../../auth/caller.ts";
import { drainingFault, Fault } from "../../errors.ts";
import type { Metrics } from "../../figures/metrics.ts";
import { ClientGone, declaredLength } from "../../http/body.ts";
import type { Listener } from "../../http/listener.ts";
import type { Visit } from "../../http/visit.ts";
import type { Lifecycle } from "../../plugin/contract.ts";
import type { Pulse, Reports } from "../../plugin/reports.ts";
import type { Deps } from "../../system/deps.ts";
import { Idle } from "../../system/idle.ts";
import { CHANNEL_PREFIX_CHARS, channelPrefix } from "../../system/server-id.ts";
import type { Joined } from "./channel.ts";
import { Channels, type Side } from "./channels.ts";
import { toReaderHeaders } from "./headers.ts";
import { type Outcome, Passage } from "./passage.ts";
import type { TransferConfig } from "./settings.ts";
import { TransferRate } from "./transfer-rate.ts";
import { type Running, type TransferState, toTransferState } from "./transfer-state.ts";

/** One request of a client that passed the door. */
export interface TransferCall {
  readonly visit: Visit;
  /** MUST leave when the request has ended. */
  readonly caller: ActiveCaller;
}

/** The client at one end, with the answer that it waits for. */
interface End extends Side, TransferCall {
  readonly answer: (response: Response) => void;
}

/** Six random characters answerWriter two transfers of a server apart and leave the other sixteen beyond guessing. */
const SHOWN_ID_CHARS = CHANNEL_PREFIX_CHARS + 6;

export interface TransfersOptions {
  readonly config: TransferConfig;
  readonly deps: Deps;
  readonly listener: Listener;
  readonly metrics: Metrics;
}

/** Joins readers to writers, and counts what became of each channel. */
export class Transfers implements Reports, Lifecycle {
  readonly #options: TransfersOptions;
  readonly #channels: Channels<End, End>;
  readonly #running = new Map<string, Running>();
  readonly #ended: Record<Outcome | "expired", number> = {
    completed: 0,
    writer_gone: 0,
    reader_gone: 0,
    wrong_length: 0,
    stalled: 0,
    closed: 0,
    expired: 0,
  };
  readonly #count: (labels: Readonly<Record<string, string>>, by?: number) => void;
  readonly #countBytes: (labels: Readonly<Record<string, string>>, by?: number) => void;
  #bytes = 0;
  /** The number of passages that have ended. */
  #endedTotal = 0;
  #changes = 0;
  #isDraining = false;
  readonly #idle = new Idle(() => this.#running.size === 0);

  constructor(options: TransfersOptions) {
    this.#options = options;
    const { config, deps, metrics } = options;
    this.#channels = new Channels({
      clock: deps.clock,
      ids: deps.ids,
      idPrefix: channelPrefix(config.serverId),
      ttlMs: config.transferTtlMs,
      maxChannels: config.transferMaxChannels,
      onJoined: (channel, id) => this.#join(channel, id),
      onChange: () => {
        this.#changes += 1;
      },
      onExpired: () => this.#tally("expired"),
    });
    this.#count = metrics.counter("moorage_transfers_total", "Channels that ended, by outcome.", ["outcome"]);
    this.#countBytes = metrics.counter("moorage_transfer_bytes_total", "Bytes passed from writers to readers.", []);
    metrics.gauge("moorage_transfer_channels", "Open channels: waiting for a side, or joined.", ["state"], () => [
      { labels: { state: "waiting" }, value: this.#channels.size - this.#running.size },
      { labels: { state: "active" }, value: this.#running.size },
    ]);
  }

  create(): { readonly id: string; readonly expiresAt: number } {
    this.#assertTaking();
    return this.#channels.create();
  }

  /** Checks whether a reader could attach now. Throws the `Fault` that it would get. */
  look(id: string): void {
    this.#assertTaking();
    this.#channels.look(id);
  }

  /** Answers with the writer's bytes once the writer is there. Rejects with a `Fault`, or `ClientGone`. */
  read(id: string, call: TransferCall): Promise<Response> {
    return this.#attach(id, call, (end) => this.#channels.read(id, end));
  }

  /** Answers once the reader has everything. Rejects with a `Fault`, or `ClientGone`. */
  write(id: string, call: TransferCall): Promise<Response> {
    return this.#attach(id, call, (end) => this.#channels.write(id, end));
  }

  state(): TransferState {
    const { config } = this.#options;
    return toTransferState({
      waiting: this.#channels.size - this.#running.size,
      capacity: config.transferMaxChannels,
      isDraining: this.#isDraining,
      ended: this.#ended,
      bytes: this.#bytes,
      running: this.#running.values(),
      runningCount: this.#running.size,
    });
  }

  /** The figures of this moment. Measures the rate of each transfer as well, so it MUST be called once a second. */
  pulse(): Pulse {
    const now = this.#options.deps.clock.elapsed();
    for (const { passage, rate } of this.#running.values()) rate.look(passage.bytes, now);
    // No failures are reported: a transfer can only fail through one of its clients.
    return { requests: this.#endedTotal, bytes: this.#bytes };
  }

  get revision(): number {
    return this.#changes + this.#bytes;
  }

  /** Opens no channel, refuses the sides that wait, and resolves when the last passage has ended. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#channels.refuseWaiting(drainingFault);
    await this.#idle.wait();
  }

  /** Breaks off the passages that are left. */
  close(): void {
    this.#isDraining = true;
    this.#channels.refuseWaiting(drainingFault);
    for (const { passage } of [...this.#running.values()]) passage.close();
  }

  #assertTaking(): void {
    if (this.#isDraining) throw drainingFault();
  }

  #attach(id: string, call: TransferCall, enter: (end: End) => void): Promise<Response> {
    const { caller, visit } = call;
    const { request } = visit;
    return new Promise((resolve, reject) => {
      const settled = (): void => request.signal.removeEventListener("abort", leave);
      const end: End = {
        ...call,
        answer(response) {
          settled();
          resolve(response);
        },
        refuse(reason) {
          settled();
          caller.leave();
          reject(reason);
        },
      };
      const leave = (): void => {
        this.#channels.leave(id, end);
        caller.leave();
        reject(new ClientGone("it left while it waited for the other side"));
      };
      // Channels are made for slow sides and long waits; the passage watches for stalls.
      caller.linger();
      request.signal.addEventListener("abort", leave);
      try {
        this.#assertTaking();
        enter(end);
      } catch (error) {
        settled();
        caller.leave();
        throw error;
      }
      // A signal that is aborted already fires no event.
      if (request.signal.aborted) leave();
    });
  }

  #join({ reader, writer }: Joined<End, End>, id: string): void {
    const { config, deps, listener } = this.#options;
    const { clock } = deps;
    const { request: writing } = writer.visit;
    const { request: reading } = reader.visit;
    const length = declaredLength(writing.headers);
    const startedAt = clock.elapsed();
    const passage = new Passage({
      clock,
      source: writing.body,
      length,
      writerSignal: writing.signal,
      readerSignal: reading.signal,
      // Bun knows the address of a request for as long as its answer is being sent.
      isReaderBusy: () => listener.addressOf(reading) !== undefined,
      stallMs: config.clientStallTimeoutMs,
      limitReader: () => listener.restoreIdleTimeout(reading),
      onBytes: (bytes) => {
        this.#bytes += bytes;
        this.#countBytes({}, bytes);
      },
      onEnded: (outcome) => {
        this.#running.delete(id);
        this.#channels.finish(id);
        this.#tally(outcome);
        this.#log(outcome, passage, clock.elapsed() - startedAt, reader, writer);
        for (const { caller } of [reader, writer]) caller.leave();
        answerWriter(writer, outcome, passage.bytes);
        this.#idle.check();
      },
    });
    const shownId = id.slice(0, SHOWN_ID_CHARS);
    this.#running.set(id, { passage, length, startedAt: clock.now(), shownId, rate: new TransferRate(startedAt) });
    const headers = toReaderHeaders(writing.headers, length, reader.visit.requestId);
    reader.answer(new Response(passage.stream, { headers }));
    passage.start();
  }

  #tally(outcome: Outcome | "expired"): void {
    if (outcome !== "expired") this.#endedTotal += 1;
    this.#ended[outcome] += 1;
    this.#changes += 1;
    this.#count({ outcome });
  }

  #log(outcome: Outcome, { bytes }: Passage, durationMs: number, reader: End, writer: End): void {
    this.#options.deps.log.info("transfer.ended", {
      outcome,
      bytes,
      duration_ms: Math.round(durationMs),
      reader: reader.visit.requestId,
      reader_caller: reader.caller.name,
      reader_address: reader.caller.address,
      writer: writer.visit.requestId,
      writer_caller: writer.caller.name,
      writer_address: writer.caller.address,
      route: writer.caller.route,
    });
  }
}

/** Answers the writer. The reader's answer is the bytes: all of them, or a connection that is cut. */
function answerWriter(writer: End, outcome: Outcome, bytes = 0): void {
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
