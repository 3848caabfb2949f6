import type { CancelTimer, Clock } from "../system/deps.ts";

/** The part of a WebSocket that a queue needs. */
export interface QueueSocket {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
}

/** Above this sources pause: enough to keep a line busy, little enough that a cancelled stream is not far behind. */
const FULL_BYTES = 1024 * 1024;
/** Below this they go on. */
const DRAINED_BYTES = 256 * 1024;
/** Bun's client has no drain event; while congested, and only then, it is asked this often. */
const POLL_MS = 5;

/** What goes out on a link: takes everything, and says when it has enough. */
export class SendQueue {
  readonly #socket: QueueSocket;
  readonly #clock: Clock;
  readonly #onDrained: () => void;
  #cancelPoll: CancelTimer | undefined;

  constructor(socket: QueueSocket, clock: Clock, onDrained: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onDrained = onDrained;
  }

  get hasRoom(): boolean {
    return this.#cancelPoll === undefined;
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array): void {
    // Frames are made in plain memory, which is what the DOM's type asks for.
    this.#socket.send(data as string | Uint8Array<ArrayBuffer>);
    if (this.#cancelPoll || this.#socket.bufferedAmount <= FULL_BYTES) return;
    this.#cancelPoll = this.#clock.every(POLL_MS, () => this.#poll());
  }

  close(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }

  #poll(): void {
    if (this.#socket.bufferedAmount > DRAINED_BYTES) return;
    this.close();
    this.#onDrained();
  }
}
