import type { CancelTimer, Clock, Log } from "../system/deps.ts";

/** The shortest time between two envelopes. */
const TICK_MS = 1000;

export interface BroadcastOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Returns a text that changes whenever `write` would show something else. */
  readonly revision: () => string;
  /** The envelope as JSON. */
  readonly write: () => string;
  readonly keepaliveMs: number;
  /** How long a viewer may read nothing before its stream is cut, in milliseconds. */
  readonly stallMs: number;
  readonly maxViewers: number;
  /** Called when the last viewer has left. */
  readonly onEmpty?: () => void;
}

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Called at each keep-alive, because a sign-in may have ended. */
  readonly isAllowed: () => boolean;
  /** Called before the server ends the stream, and not when the viewer leaves. */
  readonly onEnding: () => void;
  /** The number of the last envelope sent to it. */
  seen: number;
  /** `Clock.elapsed` when its stream last had room. */
  roomAt: number;
}

interface Envelope {
  readonly number: number;
  readonly revision: string;
  readonly writtenAt: number;
  readonly event: Uint8Array;
}

const encoder = new TextEncoder();
const KEEPALIVE = encoder.encode(": keep-alive\n\n");

/**
 * Sends the envelope to all viewers. It is serialized once for all viewers, at most once a second, and only after a change.
 * A viewer that does not read is skipped and gets the newest envelope later, so at most one waits in its stream. Nothing
 * runs without viewers.
 */
export class Broadcast {
  readonly #options: BroadcastOptions;
  readonly #viewers = new Set<Viewer>();
  #timers: readonly CancelTimer[] = [];
  #latest: Envelope | undefined;
  #isClosed = false;

  constructor(options: BroadcastOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.#viewers.size >= this.#options.maxViewers;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /**
   * Opens the event stream of a new viewer, with the current envelope first. MUST NOT be called on a full or closed
   * broadcast.
   */
  open(isAllowed: () => boolean, onEnding: () => void = () => {}): ReadableStream<Uint8Array> {
    let viewer: Viewer | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          // Comes first because it may throw: a viewer that never began must not be kept.
          const envelope = this.#newest(TICK_MS);
          viewer = { controller, isAllowed, onEnding, seen: 0, roomAt: this.#options.clock.elapsed() };
          this.#viewers.add(viewer);
          if (this.#viewers.size === 1) this.#startTimers();
          this.#send(viewer, envelope);
        },
        pull: () => {
          if (!viewer || !this.#viewers.has(viewer)) return;
          viewer.roomAt = this.#options.clock.elapsed();
          // The viewer was skipped while it had no room.
          if (this.#latest && viewer.seen !== this.#latest.number) this.#send(viewer, this.#latest);
        },
        cancel: () => {
          if (viewer) this.#remove(viewer);
        },
      },
      // One envelope may wait; while it waits the stream has no room.
      new CountQueuingStrategy({ highWaterMark: 1 }),
    );
  }

  /** Ends all streams and accepts no more viewers. */
  close(): void {
    this.#isClosed = true;
    for (const viewer of [...this.#viewers]) this.#end(viewer);
  }

  #startTimers(): void {
    const { clock, keepaliveMs } = this.#options;
    this.#timers = [clock.every(TICK_MS, () => this.#tick()), clock.every(keepaliveMs, () => this.#keepAlive())];
  }

  #tick(): void {
    const newest = this.#tryNewest();
    if (!newest) return;
    for (const viewer of [...this.#viewers]) {
      if (!this.#hasRoom(viewer)) continue;
      if (viewer.seen !== newest.number) this.#send(viewer, newest);
    }
  }

  #keepAlive(): void {
    for (const viewer of [...this.#viewers]) {
      if (!viewer.isAllowed()) this.#end(viewer);
      else if (this.#hasRoom(viewer)) viewer.controller.enqueue(KEEPALIVE);
    }
  }

  /** Catches errors: one in a timer would end the process because a plugin failed to give its state. */
  #tryNewest(): Envelope | undefined {
    try {
      return this.#newest(Number.POSITIVE_INFINITY);
    } catch (error) {
      this.#options.log.error("state.failed", { reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  /** Also cuts a viewer that has had no room for too long, which Bun would keep forever. */
  #hasRoom(viewer: Viewer): boolean {
    const now = this.#options.clock.elapsed();
    if ((viewer.controller.desiredSize ?? 0) > 0) {
      viewer.roomAt = now;
      return true;
    }
    if (now - viewer.roomAt >= this.#options.stallMs) {
      this.#remove(viewer);
      viewer.controller.error(new Error("the viewer stopped reading"));
    }
    return false;
  }

  /** The envelope, serialized again if anything has changed or its clocks are older. Only a change gives it a new number. */
  #newest(maxAgeMs: number): Envelope {
    const { clock, revision, write } = this.#options;
    const current = revision();
    const now = clock.elapsed();
    const last = this.#latest;
    const isChanged = last?.revision !== current;
    if (last && !isChanged && now - last.writtenAt < maxAgeMs) return last;
    const number = (last?.number ?? 0) + (isChanged ? 1 : 0);
    this.#latest = { number, revision: current, writtenAt: now, event: encoder.encode(`data: ${write()}\n\n`) };
    return this.#latest;
  }

  #send(viewer: Viewer, envelope: Envelope): void {
    viewer.seen = envelope.number;
    viewer.controller.enqueue(envelope.event);
  }

  #end(viewer: Viewer): void {
    this.#remove(viewer);
    viewer.onEnding();
    viewer.controller.close();
  }

  #remove(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer) || this.#viewers.size > 0) return;
    for (const cancel of this.#timers) cancel();
    this.#timers = [];
    this.#options.onEmpty?.();
  }
}
