import { errors, type NatsConnection } from "@nats-io/transport-node";
import type { CancelTimer } from "../../system/deps.ts";
import {
  type Bus,
  type BusMessage,
  type BusState,
  MAX_MESSAGE_BYTES,
  type Published,
  type Reply,
  type Unsubscribe,
} from "../bus.ts";
import { Connector, type ConnectorOptions, LINGER_MS } from "./connector.ts";
import { hintFor, reasonOf } from "./dial.ts";
import { Topics } from "./topics.ts";
import { Unconfirmed } from "./unconfirmed.ts";

export type NatsBusOptions = Omit<ConnectorOptions, "user">;

/** The most subjects that are remembered as forbidden. */
const MAX_FORBIDDEN = 20;
/** While the bus is down, the log says so no more often than this. */
const LOG_AGAIN_MS = 60_000;

/**
 * The bus on NATS. It never publishes while it is disconnected, and buffers a bounded number of bytes for a NATS server that
 * is stuck.
 */
export class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #connector: Connector;
  readonly #topics: Topics;
  readonly #onState = new Set<(state: BusState) => void>();
  readonly #unconfirmed = new Unconfirmed();
  readonly #forbidden = new Set<string>();
  #state: BusState = { kind: "down", reason: "not connected yet" };
  #connection: NatsConnection | undefined;
  #maxBytes = MAX_MESSAGE_BYTES;
  #loggedAt = Number.NEGATIVE_INFINITY;

  /** Begins to connect. */
  constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#topics = new Topics(options.log, (subject, bytes) => this.publish(subject, bytes));
    this.#connector = new Connector({
      ...options,
      user: {
        adopt: (connection) => this.#adopt(connection),
        onEnded: (connection, reason) => this.#lose(connection, reason),
        onFailed: (reason) => this.#down(reason),
        onError: (error) => this.#noteError(error),
      },
    });
  }

  get state(): BusState {
    return this.#state;
  }

  /** Host and port of the server in use, or of the one that was tried last. */
  get address(): string | undefined {
    return this.#connector.address;
  }

  /** The permissions that the NATS user lacks, as NATS has reported since the bus came up; at most 20. */
  get forbidden(): readonly string[] {
    return [...this.#forbidden];
  }

  /** The present connection, for JetStream. */
  get connection(): NatsConnection | undefined {
    return this.#connection;
  }

  onState(listener: (state: BusState) => void): Unsubscribe {
    this.#onState.add(listener);
    return () => this.#onState.delete(listener);
  }

  publish(subject: string, bytes: Uint8Array): Published {
    const connection = this.#usable(subject, bytes);
    if (typeof connection === "string") return connection;
    try {
      connection.publish(subject, bytes);
    } catch (error) {
      return asDown(error);
    }
    this.#unconfirmed.add(connection, bytes.byteLength);
    return "sent";
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): Unsubscribe {
    return this.#topics.add(subject, onMessage);
  }

  async request(subject: string, bytes: Uint8Array, ms: number): Promise<Reply> {
    const connection = this.#usable(subject, bytes);
    if (typeof connection === "string") return { kind: connection };
    try {
      const answer = connection.request(subject, bytes, { timeout: Math.max(1, ms) });
      this.#unconfirmed.add(connection, bytes.byteLength);
      return { kind: "reply", bytes: (await answer).data };
    } catch (error) {
      if (error instanceof errors.TimeoutError) return { kind: "late" };
      if (error instanceof errors.NoRespondersError) return { kind: "nobody" };
      if (error instanceof errors.RequestError && error.isNoResponders()) return { kind: "nobody" };
      return { kind: asDown(error) };
    }
  }

  /** Closes the connection and stops all attempts. Resolves when all published messages have left, or after a second. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#topics.move(undefined);
    this.#change({ kind: "closed" });
    const end = async (): Promise<void> => {
      await connection?.drain().catch(() => {});
      await this.#connector.stop();
    };
    // A NATS server that does not answer must not hold up the end of the process.
    let cancel: CancelTimer = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(LINGER_MS, resolve);
    });
    await Promise.race([end(), late]);
    cancel();
    void connection?.close().catch(() => {});
    void this.#connector.stop();
  }

  /** Moves all subscriptions to the connection. The bus is up once NATS has confirmed them. Returns whether it has. */
  async #adopt(connection: NatsConnection): Promise<boolean> {
    const { log } = this.#options;
    if (this.#state.kind === "closed") return false;
    const last = this.#connection;
    this.#switchTo(connection);
    try {
      await connection.flush();
    } catch (error) {
      this.#lose(connection, reasonOf(error));
      // Its subscriptions have moved away, so it is closed too, and the connector makes another connection.
      void last?.close().catch(() => {});
      return false;
    }
    // The bus may have been closed meanwhile.
    if (this.#connection !== connection) return false;
    log.info("bus.connected", { nats: this.address, version: connection.info?.version });
    this.#change({ kind: "up" });
    return true;
  }

  #switchTo(connection: NatsConnection | undefined): void {
    this.#connection = connection;
    this.#topics.move(connection);
    if (!connection) return;
    this.#forbidden.clear();
    this.#unconfirmed.restart(connection);
    this.#maxBytes = Math.min(MAX_MESSAGE_BYTES, connection.info?.max_payload ?? MAX_MESSAGE_BYTES);
    if (this.#maxBytes === MAX_MESSAGE_BYTES) return;
    this.#options.log.warn("bus.messages_limited", {
      max_payload: this.#maxBytes,
      hint: `let max_payload of nats-server be at least ${MAX_MESSAGE_BYTES}`,
    });
  }

  #lose(connection: NatsConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#topics.move(undefined);
    this.#down(reason);
  }

  #usable(subject: string, bytes: Uint8Array): NatsConnection | "down" | "full" | "too_large" {
    if (bytes.byteLength > this.#maxBytes) {
      this.#options.log.error("bus.message_too_large", { subject, bytes: bytes.byteLength, limit: this.#maxBytes });
      return "too_large";
    }
    const connection = this.#state.kind === "up" ? this.#connection : undefined;
    if (!connection || connection.isClosed()) return "down";
    return this.#unconfirmed.isFull ? "full" : connection;
  }

  #noteError(error: Error): void {
    const { log } = this.#options;
    if (!(error instanceof errors.PermissionViolationError)) {
      log.warn("bus.error", { nats: this.address, reason: reasonOf(error) });
      return;
    }
    const what = `${error.operation} ${error.subject}`;
    if (this.#forbidden.has(what) || this.#forbidden.size >= MAX_FORBIDDEN) return;
    this.#forbidden.add(what);
    log.error("bus.forbidden", {
      operation: error.operation,
      subject: error.subject,
      hint: "give the NATS user the permissions that docs/cluster.md lists",
    });
  }

  #down(reason: string): void {
    if (this.#state.kind === "closed") return;
    const now = this.#options.clock.elapsed();
    if (this.#state.kind === "up" || now - this.#loggedAt >= LOG_AGAIN_MS) {
      this.#loggedAt = now;
      this.#options.log.warn("bus.disconnected", { nats: this.address, reason, hint: hintFor(reason) });
    }
    this.#change({ kind: "down", reason });
  }

  #change(state: BusState): void {
    if (this.#state.kind === "closed") return;
    const { kind } = this.#state;
    this.#state = state;
    if (kind === state.kind) return;
    for (const listener of [...this.#onState]) listener(state);
  }
}

/** Returns `down` for errors of a connection that has just ended; throws others, which are bugs. */
function asDown(error: unknown): "down" {
  if (error instanceof errors.InvalidSubjectError || error instanceof errors.InvalidArgumentError) throw error;
  return "down";
}
