import type { Metrics } from "../../figures/metrics.ts";
import type { Log } from "../../system/deps.ts";
import type { EndFacts } from "./ends.ts";
import type { Outcome } from "./passage.ts";

/** A transfer that has ended, as the log shows it. */
export interface EndedTransfer {
  readonly outcome: Outcome;
  readonly bytes: number | undefined;
  readonly durationMs: number;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  readonly reader: EndFacts;
  /** The server of the reader, if it is another one. */
  readonly readerServer?: string;
  readonly writer: EndFacts;
  /** The path that the writer called. */
  readonly route: string;
}

/** The transfers that are remembered after their end. */
export const MAX_RECENT = 50;

/** Counts the channels and transfers of this server by outcome. A transfer is counted at its writer's server. */
export class TransferFigures {
  readonly ended: Record<Outcome | "expired", number> = {
    completed: 0,
    writer_gone: 0,
    reader_gone: 0,
    wrong_length: 0,
    stalled: 0,
    closed: 0,
    expired: 0,
  };
  bytes = 0;
  /** The last transfers, the newest first. Nothing in them tells the id of a channel. */
  recent: readonly (EndedTransfer & { readonly nth: number })[] = [];
  /** The number of transfers that have ended. */
  endedTotal = 0;
  /** Grows with every change, apart from bytes. */
  changes = 0;
  readonly #log: Log;
  readonly #count: (labels: Readonly<Record<string, string>>, by?: number) => void;
  readonly #countBytes: (labels: Readonly<Record<string, string>>, by?: number) => void;

  constructor(metrics: Metrics, log: Log) {
    this.#log = log;
    this.#count = metrics.counter("moorage_transfers_total", "Channels that ended, by outcome.", ["outcome"]);
    this.#countBytes = metrics.counter("moorage_transfer_bytes_total", "Bytes passed from writers to readers.", []);
  }

  addBytes(bytes: number): void {
    this.bytes += bytes;
    this.#countBytes({}, bytes);
  }

  expired(): void {
    this.#tally("expired");
  }

  /** Counts a transfer and writes its one log line. */
  add(transfer: EndedTransfer): void {
    const { outcome, bytes, durationMs, reader, readerServer, writer, route } = transfer;
    this.endedTotal += 1;
    this.recent = [{ ...transfer, nth: this.endedTotal }, ...this.recent.slice(0, MAX_RECENT - 1)];
    this.#tally(outcome);
    this.#log.info("transfer.ended", {
      outcome,
      bytes,
      duration_ms: Math.round(durationMs),
      reader: reader.requestId,
      reader_caller: reader.caller,
      reader_address: reader.address,
      reader_server: readerServer,
      writer: writer.requestId,
      writer_caller: writer.caller,
      writer_address: writer.address,
      route,
    });
  }

  #tally(outcome: Outcome | "expired"): void {
    this.ended[outcome] += 1;
    this.changes += 1;
    this.#count({ outcome });
  }
}
