import type { CancelTimer, Clock } from "../system/deps.ts";

/** The part of a WebSocket that a send queue needs. */
export interface QueueSocket {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
}

/** Above this, sources pause: enough to keep the line busy, little enough that a cancel takes effect soon. */
const FULL_BYTES = 1024 * 1024;
/** Below this, sources continue. */
const DRAINED_BYTES = 256 * 1024;
/** How often a congested socket is polled: Bun's client has no drain event. */
const POLL_MS = 5;

/** The outgoing side of a link: accepts everything, and reports when it is full. */
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
    // Frames are made in plain memory, as the DOM's type demands.
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
