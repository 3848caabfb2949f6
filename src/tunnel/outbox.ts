/** The part of Bun's socket that an outbox needs. */
export interface BatchSocket {
  /** Returns the number of bytes sent, -1 if they were copied for later and sending should pause, 0 if they were dropped. */
  send(data: string | Uint8Array): number;
  /** Runs `write` and passes all that it sends to the system in one call. */
  cork(write: () => void): void;
}

/** The most bytes that wait for the end of a turn. From here on a write is worth a system call of its own. */
const FULL_BYTES = 64 * 1024;

/**
 * Collects what a session sends during one turn of the event loop and writes it at the end of the turn. When many requests
 * arrive together, their frames leave in one system call. Order is kept, and nothing waits for a later turn.
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

  /** Writes at once, after the data that waits. The caller may then reuse the memory. */
  sendNow(data: Uint8Array): void {
    this.flush();
    const result = this.#socket.send(data);
    if (result <= 0) this.#onResult(result === 0 ? "lost" : "queued");
  }

  /** Writes at once all data that waits. */
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
    // TypeScript does not follow the assignments in the callback and would narrow the type to "sent".
    const result = worst as "sent" | "queued" | "lost";
    if (result !== "sent") this.#onResult(result);
  }
}
