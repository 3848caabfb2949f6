import { POINT_MS, POINTS, type Timeline, Track } from "../figures/timeline.ts";
import {
  type ColumnHistory,
  type ErrorEntry,
  MAX_ERRORS,
  MAX_SESSIONS,
  WORKER_COLUMNS,
  type WorkerColumn,
  type WorkerSession,
} from "../plugin/details.ts";
import type { Seat } from "../pool/seat.ts";
import type { Clock } from "../system/deps.ts";
import { Ring } from "../system/ring.ts";
import type { Session } from "../tunnel/session.ts";
import { cleanText } from "../wire/clean-text.ts";
import type { WorkerState } from "./worker-state.ts";

/** The most workers without a session that are remembered; the one that left first is forgotten first. */
export const MAX_GONE = 200;
/** How long a worker is remembered after its last session. */
export const GONE_KEPT_MS = 60 * 60_000;
/** The most characters of the reason for which a session ended. Some of them may be the worker's. */
const MAX_REASON_CHARS = 200;

/** What is remembered of one worker. */
export interface WorkerPast {
  readonly id: string;
  readonly name: string;
  readonly isConnected: boolean;
  /** The worker as the state listed it when it left; undefined while it is connected. */
  readonly lastState: WorkerState | undefined;
  /** The newest first. */
  sessions(): readonly WorkerSession[];
  /** The newest first. */
  errors(): readonly ErrorEntry[];
  history(): ColumnHistory<WorkerColumn>;
}

export interface WorkerPastsOptions {
  readonly clock: Clock;
  readonly timeline: Timeline;
  /** Takes keys out of what a worker wrote. */
  readonly mask: (text: string) => string;
}

/**
 * What is remembered of workers while they are connected and for an hour after that: a point of history every five seconds,
 * the last errors and the last sessions. A thousand workers
 * cost about 13 MB with their seats and 1 ms per point; one with 50 errors costs 15 KB more.
 */
export class WorkerPasts {
  readonly #options: WorkerPastsOptions;
  /** Those without a session are in the order in which they left. */
  readonly #pasts = new Map<string, Past>();
  readonly #gone = new Set<Past>();

  constructor(options: WorkerPastsOptions) {
    this.#options = options;
  }

  /** How many workers are remembered, connected or not. */
  get size(): number {
    return this.#pasts.size;
  }

  of(workerId: string): WorkerPast | undefined {
    const past = this.#pasts.get(workerId);
    if (past && this.#isOver(past)) this.#forget(past);
    return this.#pasts.get(workerId);
  }

  opened(session: Session): void {
    const { worker } = session;
    const past = this.#pasts.get(worker.id) ?? new Past(worker.id, this.#options.timeline);
    this.#pasts.set(worker.id, past);
    this.#gone.delete(past);
    past.open(session);
  }

  /** Notes the end of a session. `state` is the worker as it was just before. */
  closed(session: Session, reason: string, state: WorkerState | undefined): void {
    const past = this.#pasts.get(session.worker.id);
    if (!past) return;
    const { clock, mask } = this.#options;
    past.close(session, { at: clock.now(), reason: shown(mask(cleanText(reason))), state });
    if (past.isConnected) return;
    past.leftAt = clock.elapsed();
    this.#gone.add(past);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= MAX_GONE && !this.#isOver(oldest)) break;
      this.#forget(oldest);
    }
  }

  /** Notes a failure of a worker. One of a worker that is not remembered is left out. */
  failed(workerId: string, error: ErrorEntry): void {
    this.#pasts.get(workerId)?.fail(error);
  }

  /** Adds the timeline's newest point to the history of each worker. `ms` is the time since the point before. */
  tick(seats: Iterable<Seat>, ms: number): void {
    for (const seat of seats) this.#pasts.get(seat.session.worker.id)?.collect(seat);
    for (const past of this.#pasts.values()) past.flush(ms);
  }

  #isOver({ isConnected, leftAt }: Past): boolean {
    return !isConnected && this.#options.clock.elapsed() - leftAt > GONE_KEPT_MS;
  }

  #forget(past: Past): void {
    this.#gone.delete(past);
    this.#pasts.delete(past.id);
  }
}

/** The counters of a seat at the last point. */
type Counters = Pick<Seat["totals"], "ended" | "failures" | "outputSum" | "firstBytes" | "firstByteMsSum">;

const ZERO: Counters = { ended: 0, failures: 0, outputSum: 0, firstBytes: 0, firstByteMsSum: 0 };

interface KeptSession {
  readonly connectedAt: number;
  readonly version: string | undefined;
  readonly dialect: string;
  /** The counters of its seat, which begin at zero. */
  before: Counters;
  end?: { readonly at: number; readonly reason: string };
}

/** What the seats of a worker add to its next point. */
interface Point {
  busy: number;
  capacity: number;
  ended: number;
  failures: number;
  output: number;
  firstBytes: number;
  firstByteMs: number;
}

const noPoint = (): Point => ({
  busy: 0,
  capacity: 0,
  ended: 0,
  failures: 0,
  output: 0,
  firstBytes: 0,
  firstByteMs: 0,
});

class Past implements WorkerPast {
  readonly id: string;
  name = "";
  /** `Clock.elapsed` at the end of the last session. */
  leftAt = 0;
  lastState: WorkerState | undefined;
  readonly #timeline: Timeline;
  readonly #track = new Track<WorkerColumn>(WORKER_COLUMNS);
  readonly #sessions = new Ring<KeptSession>(MAX_SESSIONS);
  readonly #open = new Map<Session, KeptSession>();
  readonly #errors = new Ring<ErrorEntry>(MAX_ERRORS);
  #point: Point | undefined;

  constructor(id: string, timeline: Timeline) {
    this.id = id;
    this.#timeline = timeline;
  }

  get isConnected(): boolean {
    return this.#open.size > 0;
  }

  open(session: Session): void {
    const { connectedAt, dialect, worker } = session;
    const kept: KeptSession = { connectedAt, dialect, version: worker.version, before: ZERO };
    this.#open.set(session, kept);
    this.#sessions.push(kept);
    this.name = session.worker.name;
    this.lastState = undefined;
  }

  close(session: Session, { at, reason, state }: { at: number; reason: string; state: WorkerState | undefined }): void {
    const kept = this.#open.get(session);
    if (kept) kept.end = { at, reason };
    this.#open.delete(session);
    if (!this.isConnected) this.lastState = state;
  }

  fail(error: ErrorEntry): void {
    this.#errors.push(error);
  }

  /** Adds what a seat has done since the last point. A worker that reconnects may have two for a while. */
  collect(seat: Seat): void {
    const kept = this.#open.get(seat.session);
    if (!kept) return;
    const { ended, failures, outputSum, firstBytes, firstByteMsSum } = seat.totals;
    const { before } = kept;
    this.#point ??= noPoint();
    const point = this.#point;
    point.busy += seat.busy;
    point.capacity += seat.capacity;
    point.ended += ended - before.ended;
    point.failures += failures - before.failures;
    point.output += outputSum - before.outputSum;
    point.firstBytes += firstBytes - before.firstBytes;
    point.firstByteMs += firstByteMsSum - before.firstByteMsSum;
    kept.before = { ended, failures, outputSum, firstBytes, firstByteMsSum };
  }

  /** Adds the timeline's newest point if a seat has added something to it. */
  flush(ms: number): void {
    const point = this.#point;
    if (!point) return;
    this.#point = undefined;
    this.#track.add(this.#timeline.tick, [
      point.busy,
      point.capacity,
      point.ended,
      point.failures,
      Math.max(0, (point.output * 1000) / Math.max(1, ms)),
      point.firstBytes === 0 ? Number.NaN : point.firstByteMs / point.firstBytes,
    ]);
  }

  sessions(): readonly WorkerSession[] {
    return this.#sessions.newestFirst().map(({ connectedAt, version, dialect, end }) => ({
      connected_at: rfc3339(connectedAt),
      gone_at: end ? rfc3339(end.at) : null,
      reason: end?.reason ?? null,
      version: version ?? null,
      dialect,
    }));
  }

  errors(): readonly ErrorEntry[] {
    return this.#errors.newestFirst();
  }

  history(): ColumnHistory<WorkerColumn> {
    return { interval_ms: POINT_MS, capacity: POINTS, samples: this.#track.read(this.#timeline) };
  }
}

function shown(reason: string): string {
  const text = reason === "" ? "the connection was lost" : reason;
  return text.length > MAX_REASON_CHARS ? `${text.slice(0, MAX_REASON_CHARS - 1)}…` : text;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
