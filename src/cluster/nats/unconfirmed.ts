import type { NatsConnection } from "@nats-io/transport-node";

/** The most bytes that may be on their way to NATS. nats-server itself drops a client that is 64 MiB behind. */
const MAX_BYTES = 16 * 1024 * 1024;
/** After this many bytes NATS is asked to confirm what it has. */
const ASK_BYTES = 256 * 1024;

/**
 * Counts the bytes that NATS has not confirmed. The client hands everything to the socket, however slow it is, and does not
 * report it, so a frozen NATS server would cost memory until its pings are missed.
 */
export class Unconfirmed {
  #connection: NatsConnection | undefined;
  #bytes = 0;
  #isAsking = false;

  get isFull(): boolean {
    return this.#bytes >= MAX_BYTES;
  }

  /** Forgets what was sent on the last connection. */
  restart(connection: NatsConnection): void {
    this.#connection = connection;
    this.#bytes = 0;
    this.#isAsking = false;
  }

  /** Counts what was just sent. */
  add(connection: NatsConnection, bytes: number): void {
    if (connection !== this.#connection) return;
    this.#bytes += bytes;
    if (this.#bytes < ASK_BYTES || this.#isAsking) return;
    this.#isAsking = true;
    const asked = this.#bytes;
    connection.flush().then(
      () => {
        if (connection !== this.#connection) return;
        this.#isAsking = false;
        this.#bytes -= asked;
      },
      () => {}, // The connection has ended, and with it what is counted here.
    );
  }
}
