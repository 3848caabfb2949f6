import type { Socket } from "bun";
import { Inbox } from "./inbox.ts";

/** A client that writes HTTP by hand, for things that `fetch` would hide, delay or correct. */
export class RawClient {
  readonly received = new Inbox<Buffer>();
  /** Resolves when the connection has ended: true if the server closed it cleanly. */
  readonly closed: Promise<boolean>;
  readonly #socket: Promise<Socket>;
  #bytes = 0;
  #sent = 0;
  #drained = Promise.withResolvers<void>();

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    const closed = Promise.withResolvers<boolean>();
    this.closed = closed.promise;
    let endedInOrder = false;
    this.#socket = Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_socket, data) => {
          this.#bytes += data.length;
          this.received.put(data);
        },
        drain: () => this.#drained.resolve(),
        end: () => {
          endedInOrder = true;
        },
        close: () => {
          this.#drained.resolve();
          closed.resolve(endedInOrder);
        },
        error: () => closed.resolve(false),
      },
    });
  }

  /** The number of bytes received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of bytes that the system has accepted from this client. */
  get sent(): number {
    return this.#sent;
  }

  /** Sends data. Resolves when the system has accepted all of it, or the connection has ended. */
  async write(data: string | Uint8Array): Promise<void> {
    const socket = await this.#socket;
    let rest = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
    for (;;) {
      this.#drained = Promise.withResolvers();
      const written = socket.write(rest);
      if (written < 0) return;
      this.#sent += written;
      rest = rest.subarray(written);
      if (rest.length === 0) return;
      await this.#drained.promise;
    }
  }

  /** Stops reading until `resume`. */
  async pause(): Promise<void> {
    (await this.#socket).pause();
  }

  async resume(): Promise<void> {
    (await this.#socket).resume();
  }

  /** Disconnects abruptly. */
  async kill(): Promise<void> {
    (await this.#socket).terminate();
  }

  /** Reads until the text has arrived, and returns everything read. Rejects if the text does not arrive in time. */
  async readUntil(text: string): Promise<string> {
    let all = "";
    while (!all.includes(text)) all += (await this.received.take(text)).toString("latin1");
    return all;
  }
}
