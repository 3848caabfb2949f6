import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { Log } from "../../system/deps.ts";
import type { BusMessage, Published, Unsubscribe } from "../bus.ts";

type Listener = (message: BusMessage) => void;

/** All listeners of one subject, and their subscription on the present connection. */
interface Topic {
  readonly listeners: Set<Listener>;
  subscription: Subscription | undefined;
}

/** The subscriptions of a bus, which outlive its connections. */
export class Topics {
  readonly #log: Log;
  readonly #publish: (subject: string, bytes: Uint8Array) => Published;
  readonly #topics = new Map<string, Topic>();
  #connection: NatsConnection | undefined;

  /** `publish` sends the answers of listeners. */
  constructor(log: Log, publish: (subject: string, bytes: Uint8Array) => Published) {
    this.#log = log;
    this.#publish = publish;
  }

  add(subject: string, onMessage: Listener): Unsubscribe {
    const topic = this.#topics.get(subject) ?? this.#begin(subject);
    // One function may subscribe twice, and each of its subscriptions ends separately.
    const listener: Listener = (message) => onMessage(message);
    topic.listeners.add(listener);
    return () => {
      topic.listeners.delete(listener);
      if (topic.listeners.size > 0 || this.#topics.get(subject) !== topic) return;
      this.#topics.delete(subject);
      topic.subscription?.unsubscribe();
    };
  }

  /** Subscribes to everything on a new connection. Messages of earlier ones are ignored. */
  move(connection: NatsConnection | undefined): void {
    this.#connection = connection;
    for (const [subject, topic] of this.#topics) this.#listen(subject, topic);
  }

  #begin(subject: string): Topic {
    const topic: Topic = { listeners: new Set(), subscription: undefined };
    this.#topics.set(subject, topic);
    this.#listen(subject, topic);
    return topic;
  }

  #listen(subject: string, topic: Topic): void {
    const connection = this.#connection;
    // A connection that has just ended refuses subscriptions. The next one gets all of them.
    if (!connection || connection.isClosed()) return;
    topic.subscription = connection.subscribe(subject, {
      callback: (error, message) => {
        // A replaced connection may deliver what the new one delivers as well.
        if (!error && this.#connection === connection) this.#deliver(subject, message, topic.listeners);
      },
    });
  }

  #deliver(subject: string, message: Msg, listeners: ReadonlySet<Listener>): void {
    const { reply } = message;
    const respond = (bytes: Uint8Array): Published => (reply ? this.#publish(reply, bytes) : "sent");
    for (const listener of [...listeners]) {
      try {
        listener({ subject, bytes: message.data, respond });
      } catch (error) {
        // The client would drop the connection.
        this.#log.error("bus.listener_failed", {
          subject,
          error: error instanceof Error ? error.name : typeof error,
          stack: error instanceof Error ? error.stack?.slice(0, 2000) : undefined,
        });
      }
    }
  }
}
