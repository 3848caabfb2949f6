/** A socket that takes messages one by one, or many in one write. */
export interface BatchSocket {
  /** Bytes taken, -1 when they were copied to be sent later and sending should pause, 0 when they were not taken. */
  send(data: string | Uint8Array): number;
  /** What is sent within `write` leaves in one system call. */
  cork(write: () => void): void;
}

/** Bytes that wait for the end of a turn at most. Past it they leave at once: the write is worth its system call already. */
const FULL_BYTES = 64 * 1024;

/**
 * Gathers what a session sends within one turn of the event loop and writes it at its end: when many requests arrive
 * together, their frames leave in one system call and not in one each. Order is kept; nothing waits for a later turn.
 */
export class Outbox {
  readonly #socket: BatchSocket;
  readonly #onResult: (result: "queued" | "lost") => void;
  #waiting: (string | Uint8Array)[] = [];
  #bytes = 0;

  constructor(socket: BatchSocket, onResult: (result: "queued" | "lost") => void) {
    this.#socket = socket;
    this.#onResult = onResult;
  }

  send(data: string | Uint8Array): void {
    this.#waiting.push(data);
    this.#bytes += data.length;
    if (this.#bytes >= FULL_BYTES) this.flush();
    else if (this.#waiting.length === 1) setImmediate(() => this.flush());
  }

  /** Writes at once, after what waits; the memory is not looked at again. */
  sendNow(data: Uint8Array): void {
    this.flush();
    const result = this.#socket.send(data);
    if (result <= 0) this.#onResult(result === 0 ? "lost" : "queued");
  }

  /** Writes what waits, now. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    let worst: "sent" | "queued" | "lost" = "sent";
    const write = (): void => {
      for (const data of batch) {
        const result = this.#socket.send(data);
        if (result === 0) worst = "lost";
        else if (result < 0 && worst === "sent") worst = "queued";
      }
    };
    if (batch.length === 1) write();
    else this.#socket.cork(write);
    // The assignments happen in a callback, which control flow analysis does not follow.
    const result = worst as "sent" | "queued" | "lost";
    if (result !== "sent") this.#onResult(result);
  }
}
