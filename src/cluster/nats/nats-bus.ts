import { errors, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import type { NatsServer } from "../../settings/nats-url.ts";
import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import {
  type Bus,
  type BusMessage,
  type BusState,
  MAX_MESSAGE_BYTES,
  type Published,
  type Reply,
  type Unsubscribe,
} from "../bus.ts";
import { Candidates } from "./candidates.ts";
import { addressOf, type DialOptions, dial, discard, reasonOf } from "./dial.ts";
import { Unconfirmed } from "./unconfirmed.ts";

export interface NatsBusOptions extends DialOptions {
  /** At least one. */
  readonly servers: readonly NatsServer[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between two rounds of attempts: at least, and at most. Servers that lost NATS together come back apart. */
const REDIAL_MS = [100, 250] as const;
/** The same after a refusal, which NATS logs each time and an operator has to mend. */
const REFUSED_REDIAL_MS = [1000, 2000] as const;
/** How long a connection may still bring answers after it was replaced, and take what was published after `close`. */
const LINGER_MS = 1000;
/** The most subjects that are remembered as forbidden. */
const MAX_FORBIDDEN = 20;

/** While the bus is down, the log says so no more often than this. */
const LOG_AGAIN_MS = 60_000;

type Listener = (message: BusMessage) => void;

/** All listeners of one subject, and what brings them messages on the connection of the moment. */
interface Topic {
  readonly listeners: Set<Listener>;
  subscription: Subscription | undefined;
}

/**
 * The bus on NATS. It dials again for ever, at first at once and then every 100 to 250 ms, and never publishes while it is
 * disconnected. Each connection is a new one: it knows nothing of what the last one did not send.
 */
export class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #candidates: Candidates;
  readonly #topics = new Map<string, Topic>();
  readonly #onState = new Set<(state: BusState) => void>();
  readonly #unconfirmed = new Unconfirmed();
  readonly #forbidden = new Set<string>();
  #state: BusState = { kind: "down", reason: "not connected yet" };
  #connection: NatsConnection | undefined;
  #maxBytes = MAX_MESSAGE_BYTES;
  #address: string | undefined;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #endPause: () => void = () => {};
  readonly #running: Promise<void>;

  /** Begins to connect. */
  constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#candidates = new Candidates(options.servers);
    this.#running = this.#run();
  }

  get state(): BusState {
    return this.#state;
  }

  /** Host and port of the server in use, or of the one that was tried last. */
  get address(): string | undefined {
    return this.#address;
  }

  /** What the NATS user may not do, as NATS has said it since the bus is up; at most 20 of them. */
  get forbidden(): readonly string[] {
    return [...this.#forbidden];
  }

  /** The connection while the bus is up, for what else uses it. */
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

  subscribe(subject: string, onMessage: Listener): Unsubscribe {
    const topic = this.#topics.get(subject) ?? this.#begin(subject);
    // Each subscription is its own, even of one function.
    const listener: Listener = (message) => onMessage(message);
    topic.listeners.add(listener);
    return () => {
      topic.listeners.delete(listener);
      if (topic.listeners.size > 0 || this.#topics.get(subject) !== topic) return;
      this.#topics.delete(subject);
      topic.subscription?.unsubscribe();
    };
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

  /** Ends the connection and all attempts. Resolves when what was published before has left, or after a second. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#change({ kind: "closed" });
    this.#endPause();
    const end = async (): Promise<void> => {
      await connection?.drain().catch(() => {});
      await this.#running;
    };
    // A NATS server that does not answer must not hold up the end of the process.
    let cancel: CancelTimer = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(LINGER_MS, resolve);
    });
    await Promise.race([end(), late]);
    cancel();
    void connection?.close().catch(() => {});
  }

  async #run(): Promise<void> {
    while (this.#state.kind !== "closed") {
      const connection = await this.#dialAll();
      if (!connection) continue;
      await this.#use(connection);
    }
  }

  /** Tries each server once. After a round in vain, waits a moment and returns undefined. */
  async #dialAll(): Promise<NatsConnection | undefined> {
    let isRefused = false;
    for (const server of this.#candidates.round()) {
      if (this.#state.kind === "closed") return undefined;
      const dialled = await dial(server, this.#options);
      this.#address = addressOf(server);
      if (dialled.ok) return dialled.connection;
      isRefused ||= dialled.isRefused;
      this.#down(dialled.reason);
    }
    const [least, most] = isRefused ? REFUSED_REDIAL_MS : REDIAL_MS;
    if (this.#state.kind !== "closed") await this.#pause(least + Math.random() * (most - least));
    return undefined;
  }

  /** Uses a connection, and those that replace it, until the last one has ended. */
  async #use(first: NatsConnection): Promise<void> {
    if (!(await this.#adopt(first))) return void (await first.close().catch(() => {}));
    let connection = first;
    for (;;) {
      const next = await this.#untilReplaced(connection);
      if (!next) return;
      if (!(await this.#adopt(next))) {
        await next.close().catch(() => {});
        continue;
      }
      const last = connection;
      this.#options.clock.after(LINGER_MS, () => void last.close().catch(() => {}));
      connection = next;
    }
  }

  /** Subscribes, and is up once NATS has confirmed it. Returns whether it did. */
  async #adopt(connection: NatsConnection): Promise<boolean> {
    const { log } = this.#options;
    this.#candidates.learn(connection.info?.connect_urls ?? []);
    this.#forbidden.clear();
    this.#maxBytes = Math.min(MAX_MESSAGE_BYTES, connection.info?.max_payload ?? MAX_MESSAGE_BYTES);
    if (this.#maxBytes < MAX_MESSAGE_BYTES)
      log.warn("bus.messages_limited", {
        max_payload: this.#maxBytes,
        hint: `let max_payload of nats-server be at least ${MAX_MESSAGE_BYTES}`,
      });
    this.#unconfirmed.restart(connection);
    const last = this.#connection;
    this.#connection = connection;
    for (const [subject, topic] of this.#topics) this.#listen(connection, subject, topic);
    try {
      await connection.flush();
    } catch (error) {
      if (this.#connection === connection) this.#connection = last;
      this.#down(reasonOf(error));
      return false;
    }
    if (this.#state.kind === "closed") return false;
    log.info("bus.connected", { nats: this.#address, version: connection.info?.version });
    this.#change({ kind: "up" });
    return true;
  }

  /** Resolves when the connection has ended, or to the one that takes its place because its server is about to end. */
  async #untilReplaced(connection: NatsConnection): Promise<NatsConnection | undefined> {
    const { promise, resolve } = Promise.withResolvers<NatsConnection | undefined>();
    void this.#watch(connection, resolve);
    void connection.closed().then((error) => {
      this.#lose(connection, error ? reasonOf(error) : "connection closed");
      resolve(undefined);
    });
    return promise;
  }

  #lose(connection: NatsConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#down(reason);
  }

  async #watch(connection: NatsConnection, replace: (next: NatsConnection | undefined) => void): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "error") this.#noteError(status.error);
      if (status.type === "staleConnection") {
        // By itself the client would wait until the server takes what is still to be sent.
        discard(connection);
        this.#lose(connection, "no answer");
        return replace(undefined);
      }
      if (status.type === "slowConsumer") this.#options.log.warn("bus.slow", { pending: status.pending });
      if (status.type !== "ldm") continue;
      this.#options.log.info("bus.server_leaving", { nats: this.#address });
      const leaving = this.#address;
      for (const server of this.#candidates.round()) {
        if (addressOf(server) === leaving) continue;
        const dialled = await dial(server, this.#options);
        if (!dialled.ok) continue;
        if (this.#connection !== connection) return void (await dialled.connection.close());
        this.#address = addressOf(server);
        return replace(dialled.connection);
      }
    }
  }

  #begin(subject: string): Topic {
    const topic: Topic = { listeners: new Set(), subscription: undefined };
    this.#topics.set(subject, topic);
    if (this.#connection) this.#listen(this.#connection, subject, topic);
    return topic;
  }

  #listen(connection: NatsConnection, subject: string, topic: Topic): void {
    topic.subscription = connection.subscribe(subject, {
      callback: (error, message) => {
        // A connection that was replaced may bring what the new one brings as well.
        if (!error && this.#connection === connection) this.#deliver(subject, message, topic.listeners);
      },
    });
  }

  #deliver(subject: string, message: Msg, listeners: ReadonlySet<Listener>): void {
    const { reply } = message;
    const respond = (bytes: Uint8Array): Published => (reply ? this.publish(reply, bytes) : "sent");
    for (const listener of [...listeners]) {
      try {
        listener({ subject, bytes: message.data, respond });
      } catch (error) {
        // The client would drop the connection.
        this.#options.log.error("bus.listener_failed", {
          subject,
          error: error instanceof Error ? error.name : typeof error,
          stack: error instanceof Error ? error.stack?.slice(0, 2000) : undefined,
        });
      }
    }
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
      log.warn("bus.error", { nats: this.#address, reason: reasonOf(error) });
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
      this.#options.log.warn("bus.disconnected", { nats: this.#address, reason });
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

  /** Waits, unless `close` ends it. */
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

/** Returns `down` for errors of a connection that has just ended; throws others, which are bugs. */
function asDown(error: unknown): "down" {
  if (error instanceof errors.InvalidSubjectError || error instanceof errors.InvalidArgumentError) throw error;
  return "down";
}
