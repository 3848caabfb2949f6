/** Carries small messages between the servers of a cluster. Each message arrives at most once: any of them may be lost. */
export interface Bus {
  readonly state: BusState;
  /** Calls `listener` whenever the kind of `state` has changed, until the returned function is called. */
  onState(listener: (state: BusState) => void): Unsubscribe;
  /**
   * Sends a message to all other servers that subscribe to the subject. Nothing is kept for later: what is published
   * while the bus is down is lost.
   */
  publish(subject: string, bytes: Uint8Array): Published;
  /**
   * Calls `onMessage` for each message of another server with exactly this subject. A subscription lasts over
   * disconnections until the returned function is called. Messages of one server arrive in the order of their sending.
   */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): Unsubscribe;
  /** Sends a message and waits up to `ms` for one answer to it. Never rejects. */
  request(subject: string, bytes: Uint8Array, ms: number): Promise<Reply>;
}

/** A bus that is down goes on trying to reach its server until it is closed. `reason` is text for operators. */
export type BusState =
  | { readonly kind: "up" }
  | { readonly kind: "down"; readonly reason: string }
  | { readonly kind: "closed" };

/**
 * What became of a message: it was handed to the connection, or it was not sent. `full`: so much is on its way already that
 * the connection must be stuck.
 */
export type Published = "sent" | "down" | "full" | "too_large";

/**
 * The end of a request. `nobody`: no server subscribes to the subject. `late`: no answer came in time. Neither `late` nor
 * `down` says whether the request has arrived.
 */
export type Reply =
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  | { readonly kind: "nobody" | "late" | "down" | "full" | "too_large" };

export interface BusMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Answers a request. Does nothing if the message is none. */
  respond(bytes: Uint8Array): Published;
}

export type Unsubscribe = () => void;

/**
 * The largest message. It is a quarter of what nats-server takes by default, so that a few large messages never hold up
 * the small ones behind them for long.
 */
export const MAX_MESSAGE_BYTES = 256 * 1024;
