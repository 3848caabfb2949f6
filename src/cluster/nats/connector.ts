import type { NatsConnection } from "@nats-io/transport-node";
import type { NatsServer } from "../../settings/nats-url.ts";
import type { Clock, Log } from "../../system/deps.ts";
import { Candidates } from "./candidates.ts";
import { addressOf, type DialOptions, dial, discard, reasonOf } from "./dial.ts";

/**
 * The shortest and the longest pause between two rounds of attempts, in milliseconds. Its length is random, so that servers
 * that lose NATS together do not all come back at once.
 */
const REDIAL_MS = [100, 250] as const;
/** The same after a refusal, which NATS logs each time and which an operator has to fix. */
const REFUSED_REDIAL_MS = [1000, 2000] as const;
/** How long a replaced connection may still deliver answers. */
export const LINGER_MS = 1000;

/** Uses the connections of a connector, one at a time. */
export interface ConnectionUser {
  /**
   * Takes over a new connection. One that it replaces stays open for a moment. Returns false if the new one cannot be used.
   */
  adopt(connection: NatsConnection): Promise<boolean>;
  /** Handles the end of a connection that was adopted. */
  onEnded(connection: NatsConnection, reason: string): void;
  /** Handles a failed attempt to connect. */
  onFailed(reason: string): void;
  /** Handles an error that NATS has reported, after which the connection may stay open. */
  onError(error: Error): void;
}

export interface ConnectorOptions extends DialOptions {
  /** At least one. */
  readonly servers: readonly NatsServer[];
  readonly clock: Clock;
  readonly log: Log;
  readonly user: ConnectionUser;
}

/**
 * Connects to NATS, again and again until it is stopped. After a loss it dials at once, and then every 100 to 250 ms. Each
 * connection starts empty: it does not send what the last one could not send. If a NATS server announces that it will stop,
 * the connector moves to another one before.
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #candidates: Candidates;
  readonly #running: Promise<void>;
  #address: string | undefined;
  #isStopped = false;
  #endPause: () => void = () => {};

  /** Begins to connect. */
  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#candidates = new Candidates(options.servers);
    this.#running = this.#run();
  }

  /** Host and port of the server in use, or of the one that was tried last. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Makes no more connections. Resolves when the last one that the user has not adopted is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPause();
    await this.#running;
  }

  async #run(): Promise<void> {
    // The user is not ready before its constructor has ended.
    await Promise.resolve();
    while (!this.#isStopped) {
      const connection = await this.#dialAll();
      if (connection) await this.#use(connection);
    }
  }

  /** Tries each server once. If none accepts, waits a moment and returns undefined. */
  async #dialAll(): Promise<NatsConnection | undefined> {
    let isRefused = false;
    for (const server of this.#candidates.round()) {
      if (this.#isStopped) return undefined;
      const dialled = await dial(server, this.#options);
      this.#address = addressOf(server);
      if (dialled.ok) return dialled.connection;
      isRefused ||= dialled.isRefused;
      this.#options.user.onFailed(dialled.reason);
    }
    const [least, most] = isRefused ? REFUSED_REDIAL_MS : REDIAL_MS;
    if (!this.#isStopped) await this.#pause(least + Math.random() * (most - least));
    return undefined;
  }

  /** Lets the user have a connection, and those that replace it, until the last one has ended. */
  async #use(first: NatsConnection): Promise<void> {
    if (!(await this.#offer(first))) return;
    let connection = first;
    for (;;) {
      const next = await this.#untilReplaced(connection);
      if (!next) return;
      if (!(await this.#offer(next))) continue;
      const last = connection;
      this.#options.clock.after(LINGER_MS, () => void last.close().catch(() => {}));
      connection = next;
    }
  }

  async #offer(connection: NatsConnection): Promise<boolean> {
    this.#candidates.learn(connection.info?.connect_urls ?? []);
    if (!this.#isStopped && (await this.#options.user.adopt(connection))) return true;
    await connection.close().catch(() => {});
    return false;
  }

  /**
   * Resolves to a connection that replaces this one because its server is about to stop, or to undefined when this one has
   * ended.
   */
  async #untilReplaced(connection: NatsConnection): Promise<NatsConnection | undefined> {
    const { promise, resolve } = Promise.withResolvers<NatsConnection | undefined>();
    void this.#watch(connection, resolve);
    void connection.closed().then((error) => {
      this.#options.user.onEnded(connection, error ? reasonOf(error) : "connection closed");
      resolve(undefined);
    });
    return promise;
  }

  async #watch(connection: NatsConnection, replace: (next: NatsConnection | undefined) => void): Promise<void> {
    const { log, user } = this.#options;
    for await (const status of connection.status()) {
      if (status.type === "error") user.onError(status.error);
      else if (status.type === "slowConsumer") log.warn("bus.slow", { pending: status.pending });
      else if (status.type === "staleConnection") {
        // By itself, the client would wait until the server accepts all unsent bytes.
        discard(connection);
        user.onEnded(connection, "no answer");
        return replace(undefined);
      } else if (status.type === "ldm") {
        log.info("bus.server_leaving", { nats: this.#address });
        const next = await this.#dialOther(connection);
        if (next) return replace(next);
      }
    }
  }

  /**
   * Connects to a server other than the present one. Returns undefined if none accepts, or if the present connection has
   * ended.
   */
  async #dialOther(connection: NatsConnection): Promise<NatsConnection | undefined> {
    const leaving = this.#address;
    for (const server of this.#candidates.round()) {
      if (addressOf(server) === leaving || connection.isClosed() || this.#isStopped) continue;
      const dialled = await dial(server, this.#options);
      if (!dialled.ok) continue;
      if (!connection.isClosed() && !this.#isStopped) {
        this.#address = addressOf(server);
        return dialled.connection;
      }
      await dialled.connection.close().catch(() => {});
    }
    return undefined;
  }

  /** Waits, unless `stop` ends it. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }
}
