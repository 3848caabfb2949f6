import { Fault } from "../../errors.ts";
import type { ClientGone } from "../../http/body.ts";
import type { CancelTimer, Clock, Ids } from "../../system/deps.ts";
import { type Channel, type Joined, OPEN, type Refusal, without, withReader, withWriter } from "./channel.ts";

/** One end of a channel while it waits. */
export interface Side {
  /** Refuses the side: the channel has expired, or the server is shutting down. */
  refuse(reason: Fault | ClientGone): void;
}

export interface ChannelsOptions<R, W> {
  readonly clock: Clock;
  readonly ids: Ids;
  /** The beginning of every id, which names its server. */
  readonly idPrefix: string;
  /** How long a channel lives that is not joined. */
  readonly ttlMs: number;
  readonly maxChannels: number;
  readonly onJoined: (channel: Joined<R, W>, id: string) => void;
  /** Called when a channel was opened, has changed or has ended. */
  readonly onChange: () => void;
  readonly onExpired: () => void;
}

interface Entry<R, W> {
  channel: Channel<R, W>;
  /** `Clock.elapsed` at which it expires unless both sides have come. */
  readonly endsAt: number;
  stopTimer: CancelTimer;
}

/** How long an ended channel is distinguished from one that never existed. */
const REMEMBERED_MS = 10 * 60_000;
/** Most ended channels that are remembered, at a hundred bytes each. The oldest are forgotten first. */
const MAX_REMEMBERED = 100_000;

/** The owner of all channels that were created on this server. */
export class Channels<R extends Side, W extends Side> {
  readonly #options: ChannelsOptions<R, W>;
  readonly #open = new Map<string, Entry<R, W>>();
  /** In the order in which they ended. */
  readonly #gone = new Map<string, Entry<R, W>>();
  /** The number of open channels that are joined. */
  #joined = 0;

  constructor(options: ChannelsOptions<R, W>) {
    this.#options = options;
  }

  /** The number of channels that are neither used nor expired. */
  get size(): number {
    return this.#open.size;
  }

  /** The number of those that lack a side. */
  get waiting(): number {
    return this.#open.size - this.#joined;
  }

  /**
   * Opens a channel. Its id gives access to it: 128 random bits after the prefix of this server. `expiresAt` is the wall time
   * in milliseconds at which the channel ends unless both sides have come.
   */
  create(): { readonly id: string; readonly expiresAt: number } {
    const { ids, idPrefix, clock, ttlMs, maxChannels } = this.#options;
    if (this.#open.size >= maxChannels) throw new Fault("too_many_channels", { retryAfterS: 10 });
    const id = idPrefix + ids.secret();
    const stopTimer = clock.after(ttlMs, () => this.#expire(id));
    this.#open.set(id, { channel: OPEN, endsAt: clock.elapsed() + ttlMs, stopTimer });
    this.#options.onChange();
    return { id, expiresAt: clock.now() + ttlMs };
  }

  /** Checks whether a reader could attach now. Throws what `read` would throw. */
  look(id: string): void {
    const side: Side = { refuse: () => {} };
    // The state machine is pure, so dropping its answer leaves the channel unchanged.
    assertTaken(withReader(this.#find(id).channel, side as R));
  }

  /** Attaches the reader. Throws `transfer_not_found`, `transfer_in_use` or `transfer_expired`. */
  read(id: string, reader: R): void {
    const entry = this.#find(id);
    this.#enter(id, entry, withReader(entry.channel, reader));
  }

  /** Attaches the writer. Throws like `read`. */
  write(id: string, writer: W): void {
    const entry = this.#find(id);
    this.#enter(id, entry, withWriter(entry.channel, writer));
  }

  /** Frees the place of a waiting side that has left. */
  leave(id: string, side: R | W): void {
    const entry = this.#open.get(id);
    if (!entry) return;
    entry.channel = without(entry.channel, side);
    this.#options.onChange();
  }

  /** Whether this owner has the channel, or had it recently. */
  has(id: string): boolean {
    return this.#open.has(id) || this.#gone.has(id);
  }

  /** Returns how long a channel waits for both sides from now on. Throws `transfer_not_found`. */
  expiresInMs(id: string): number {
    return Math.max(0, this.#find(id).endsAt - this.#options.clock.elapsed());
  }

  /** Undoes the joining of a channel because one of its sides turned out to have left. The other one waits again. */
  undo(id: string, gone: R | W): void {
    const entry = this.#open.get(id);
    if (entry?.channel.kind !== "joined") return;
    const { reader, writer } = entry.channel;
    this.#joined -= 1;
    entry.channel = reader === gone ? { kind: "writer_waits", writer } : { kind: "reader_waits", reader };
    entry.stopTimer = this.#options.clock.after(this.expiresInMs(id), () => this.#expire(id));
    this.#options.onChange();
  }

  /** Ends a joined channel. */
  finish(id: string): void {
    this.#retire(id, "used");
  }

  /** Ends every waiting channel, because no other side will come. */
  refuseWaiting(fault: () => Fault): void {
    for (const [id, { channel }] of [...this.#open]) {
      if (channel.kind === "joined") continue;
      this.#retire(id, "expired");
      sideOf(channel)?.refuse(fault());
    }
  }

  #find(id: string): Entry<R, W> {
    const entry = this.#open.get(id) ?? this.#gone.get(id);
    if (!entry) throw new Fault("transfer_not_found");
    return entry;
  }

  #enter(id: string, entry: Entry<R, W>, next: Channel<R, W> | Refusal): void {
    const channel = assertTaken(next);
    entry.channel = channel;
    this.#options.onChange();
    if (channel.kind !== "joined") return;
    this.#joined += 1;
    entry.stopTimer();
    this.#options.onJoined(channel, id);
  }

  #expire(id: string): void {
    const channel = this.#open.get(id)?.channel;
    if (!channel) return;
    this.#retire(id, "expired");
    this.#options.onExpired();
    sideOf(channel)?.refuse(new Fault("transfer_expired"));
  }

  #retire(id: string, kind: "used" | "expired"): void {
    const entry = this.#open.get(id);
    if (!entry) return;
    entry.stopTimer();
    if (entry.channel.kind === "joined") this.#joined -= 1;
    this.#open.delete(id);
    const stopTimer = this.#options.clock.after(REMEMBERED_MS, () => this.#gone.delete(id));
    this.#gone.set(id, { channel: { kind }, endsAt: entry.endsAt, stopTimer });
    const oldest = this.#gone.size > MAX_REMEMBERED ? this.#gone.entries().next().value : undefined;
    if (oldest) {
      oldest[1].stopTimer();
      this.#gone.delete(oldest[0]);
    }
    this.#options.onChange();
  }
}

function assertTaken<R, W>(next: Channel<R, W> | Refusal): Channel<R, W> {
  if (next === "in_use") throw new Fault("transfer_in_use");
  if (next === "expired") throw new Fault("transfer_expired");
  return next;
}

function sideOf<R extends Side, W extends Side>(channel: Channel<R, W>): Side | undefined {
  if (channel.kind === "reader_waits") return channel.reader;
  return channel.kind === "writer_waits" ? channel.writer : undefined;
}
