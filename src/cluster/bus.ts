/** Carries small messages between the servers of a cluster. It delivers each message at most once, and may lose it. */
export interface Bus {
  readonly state: BusState;
  /** Calls `listener` whenever the kind of `state` has changed, until the returned function is called. */
  onState(listener: (state: BusState) => void): Unsubscribe;
  /**
   * Sends a message to all other servers that subscribe to the subject. Nothing is stored: a message that is published while
   * the bus is down is lost.
   */
  publish(subject: string, bytes: Uint8Array): Published;
  /**
   * Calls `onMessage` for each message of another server with exactly this subject. A subscription survives disconnections;
   * the returned function ends it. Messages from one server arrive in the order in which they were sent.
   */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): Unsubscribe;
  /** Sends a message and waits up to `ms` for one answer to it. Never rejects. */
  request(subject: string, bytes: Uint8Array, ms: number): Promise<Reply>;
}

/** A bus that is down keeps trying to reach its server until it is closed. `reason` is text for operators. */
export type BusState =
  | { readonly kind: "up" }
  | { readonly kind: "down"; readonly reason: string }
  | { readonly kind: "closed" };

/**
 * The outcome of publishing: the message was handed to the connection, or it was not sent. `full`: so many bytes are already
 * on their way that the connection must be stuck.
 */
export type Published = "sent" | "down" | "full" | "too_large";

/**
 * The outcome of a request. `nobody`: no server subscribes to the subject. `late`: no answer came in time. After `late` or
 * `down`, the request may or may not have arrived.
 */
export type Reply =
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  | { readonly kind: "nobody" | "late" | "down" | "full" | "too_large" };

export interface BusMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Answers a request. Does nothing for any other message. */
  respond(bytes: Uint8Array): Published;
}

export type Unsubscribe = () => void;

/**
 * The largest message. It is a quarter of what nats-server takes by default, so that a few large messages never hold up
 * the small ones behind them for long.
 */
export const MAX_MESSAGE_BYTES = 256 * 1024;
