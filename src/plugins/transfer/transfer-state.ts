import type { Flow, Outcome } from "./passage.ts";
import type { TransferFigures } from "./transfer-figures.ts";
import type { TransferRate } from "./transfer-rate.ts";

// The part of the State API about transfers: plain copies, with names in snake_case.

/** A transfer that is passing bytes now. */
export interface Running {
  readonly flow: Flow;
  /** Undefined if the writer has not declared it. */
  readonly length: number | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The same as `Clock.elapsed`. */
  readonly begunAt: number;
  /** The first characters of the channel's id. The whole id would give access to the channel. */
  readonly shownId: string;
  readonly rate: TransferRate;
  /** The ids of the made keys that its sides on this server came with. */
  readonly keyIds: readonly string[];
}

export interface TransferState {
  readonly server: { readonly state: "ready" | "draining" };
  readonly channels: {
    /** Open channels with one side or none. */
    readonly waiting: number;
    readonly active: number;
    readonly capacity: number;
  };
  readonly totals: Readonly<Record<Outcome | "expired", number>> & { readonly bytes: number };
  /** The first hundred transfers that pass bytes now. */
  readonly active: readonly ActiveTransfer[];
  /** The last fifty whose bytes came from a client of this server, the newest first. */
  readonly recent: readonly PastTransfer[];
}

/** A transfer that has ended, in the State API. The id of its channel is not told. */
export interface PastTransfer {
  /** Its place among the transfers of this server since its start. */
  readonly nth: number;
  readonly outcome: Outcome;
  /** Null where the bytes were not seen. */
  readonly bytes: number | null;
  readonly duration_ms: number;
  /** RFC 3339. */
  readonly ended_at: string;
  /** The names of the callers. */
  readonly writer: string;
  readonly reader: string;
}

/** One transfer in the State API. */
export interface ActiveTransfer {
  /** The first characters of the channel's id. */
  readonly channel: string;
  /** Null for a large transfer of declared length, which the runtime moves without reporting progress. */
  readonly bytes: number | null;
  /** Null if the writer has not declared it. */
  readonly length: number | null;
  /** Measured over the last second or two; null where the bytes are not seen. */
  readonly bytes_per_s: number | null;
  /** RFC 3339. */
  readonly started_at: string;
}

const MAX_SHOWN = 100;

interface Facts {
  readonly waiting: number;
  readonly capacity: number;
  readonly isDraining: boolean;
  readonly figures: Pick<TransferFigures, "ended" | "bytes" | "recent">;
  readonly running: Iterable<Running>;
  readonly runningCount: number;
}

export function toTransferState(facts: Facts): TransferState {
  const active: ActiveTransfer[] = [];
  for (const { flow, length, startedAt, shownId, rate } of facts.running) {
    if (active.length === MAX_SHOWN) break;
    const started_at = new Date(startedAt).toISOString();
    const bytes = flow.bytes ?? null;
    const bytes_per_s = bytes === null ? null : rate.bytesPerS;
    active.push({ channel: shownId, bytes, length: length ?? null, bytes_per_s, started_at });
  }
  const { ended, bytes: moved, recent } = facts.figures;
  return {
    server: { state: facts.isDraining ? "draining" : "ready" },
    channels: { waiting: facts.waiting, active: facts.runningCount, capacity: facts.capacity },
    totals: { ...ended, bytes: moved },
    active,
    recent: recent.map(({ nth, outcome, bytes = null, durationMs, endedAt, writer, reader }) => ({
      nth,
      outcome,
      bytes,
      duration_ms: Math.round(durationMs),
      ended_at: new Date(endedAt).toISOString(),
      writer: writer.caller,
      reader: reader.caller,
    })),
  };
}
