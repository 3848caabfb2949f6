import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { BusState, Unsubscribe } from "../bus.ts";
import type { Bucket, OpenedBucket } from "./bucket.ts";
import type { RecordTable } from "./record-table.ts";

/** Milliseconds until a bucket that ended or failed is opened again, and between attempts to write what has failed. */
const RETRY_MS = 1000;
/** The same where there is no JetStream, which only an operator can change. */
const ABSENT_RETRY_MS = 30_000;
/**
 * How long NATS has to answer that it has no JetStream before that counts. A NATS server without JetStream of its own answers so
 * until it has found those of its cluster that have it, to which it connects within a second or two of its start.
 */
const ABSENT_AFTER_MS = 5000;
/** How long nobody may know whether the bucket has more than was told. It is asked every 2 s, and may take 5 s to answer. */
const QUIET_MS = 10_000;
/** How long the end of the server may wait for its last changes to be written, and how often it looks. */
const LAST_WRITES_MS = 1000;
const LOOK_MS = 10;
/** The log says no more often than this that records cannot be kept. */
const LOG_AGAIN_MS = 60_000;

export interface RecordKeeperOptions {
  readonly table: RecordTable;
  /** Opens the bucket on the connection of the moment. Called while the bus is up. Never rejects. */
  readonly open: () => Promise<OpenedBucket>;
  readonly bus: { readonly state: BusState; onState(listener: () => void): Unsubscribe };
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps a table attached to its bucket while the bus is up. */
export class RecordKeeper {
  readonly #options: RecordKeeperOptions;
  readonly #ends: CancelTimer[];
  #hasRecords: boolean | undefined;
  #isOpening = false;
  #isClosed = false;
  #cancelRetry: CancelTimer = () => {};
  /** `Clock.elapsed` of the first answer without JetStream since NATS was reached or had something else to say. */
  #absentSince: number | undefined;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #bucket: Bucket | undefined;
  #confirmedAt: number | undefined;

  /** Begins at once. */
  constructor(options: RecordKeeperOptions) {
    this.#options = options;
    const { bus, clock, table } = options;
    this.#ends = [bus.onState(() => this.#onState()), clock.every(RETRY_MS, () => table.flush())];
    void this.#open();
  }

  /** Whether records are kept where other servers find them; undefined until that is known. */
  get hasRecords(): boolean | undefined {
    return this.#hasRecords;
  }

  /** `Clock.elapsed` of the last moment at which all changes were known here; undefined if there was none yet. */
  get confirmedAt(): number | undefined {
    return this.#bucket?.confirmedAt ?? this.#confirmedAt;
  }

  /** Whether records can be read and written now, and all changes become known here. */
  get isReached(): boolean {
    const { bus, clock, table } = this.#options;
    const { confirmedAt } = this;
    if (bus.state.kind !== "up" || !table.isReady || confirmedAt === undefined) return false;
    return clock.elapsed() - confirmedAt < QUIET_MS;
  }

  /** Resolves when the last changes are written, or cannot be written in time. */
  async close(): Promise<void> {
    const { table, bus, clock } = this.#options;
    const endsAt = clock.elapsed() + LAST_WRITES_MS;
    while (table.pending > 0 && this.#hasRecords && bus.state.kind === "up" && clock.elapsed() < endsAt)
      await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
    this.#isClosed = true;
    for (const end of this.#ends) end();
    this.#cancelRetry();
    this.#options.table.detach();
  }

  #onState(): void {
    // After an outage, NATS may be another one, or has just started.
    if (this.#options.bus.state.kind !== "up") this.#absentSince = undefined;
    void this.#open();
  }

  async #open(): Promise<void> {
    const { bus, open, table, clock } = this.#options;
    if (this.#isOpening || this.#isClosed || bus.state.kind !== "up") return;
    this.#isOpening = true;
    const opened = await open();
    if (this.#isClosed) return;
    const isAbsent = this.#countsAsAbsent(opened);
    if (opened.ok) {
      this.#hasRecords = true;
      this.#bucket = opened.bucket;
      table.attach(opened.bucket);
      await opened.bucket.ended;
      this.#confirmedAt = this.confirmedAt;
      this.#bucket = undefined;
      table.detach();
    } else {
      if (isAbsent) this.#hasRecords = false;
      this.#logFailure(opened.reason);
    }
    this.#isOpening = false;
    // A bus that is not up opens the bucket when it is.
    if (this.#isClosed || bus.state.kind !== "up") return;
    this.#cancelRetry();
    this.#cancelRetry = clock.after(isAbsent ? ABSENT_RETRY_MS : RETRY_MS, () => void this.#open());
  }

  /** Whether NATS has answered for so long that it has no JetStream that this is no matter of its start. */
  #countsAsAbsent(opened: OpenedBucket): boolean {
    const { bus, clock } = this.#options;
    const now = clock.elapsed();
    if (opened.ok || !opened.isAbsent || bus.state.kind !== "up") this.#absentSince = undefined;
    else this.#absentSince ??= now;
    return this.#absentSince !== undefined && now - this.#absentSince >= ABSENT_AFTER_MS;
  }

  #logFailure(reason: string): void {
    const { clock, log } = this.#options;
    if (clock.elapsed() - this.#loggedAt < LOG_AGAIN_MS) return;
    this.#loggedAt = clock.elapsed();
    log.warn("cluster.records_not_kept", {
      reason,
      effect: "created keys, drains, blocks and owners of worker ids count on the server alone that learned of them",
      hint: "switch JetStream on in nats-server, and let the NATS user use it",
    });
  }
}
