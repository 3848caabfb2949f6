/** Carries messages to one peer, whole, in order, and each exactly once: a socket, or a lane over the bus. */
export interface Channel {
  /** How the messages travel. */
  readonly kind: "direct" | "lane";
  /**
   * Sends one message, and copies it before it returns. `queued`: the sender should pause until `onDrain`. `lost`: the
   * channel can no longer be used.
   */
  send(message: Uint8Array): SendResult;
  /** Closes the channel, with a reason for the peer's log. */
  close(reason: string): void;
  /** Closes the channel without waiting for unsent bytes, because the peer gives no sign of life. */
  cut(): void;
}

export type SendResult = "sent" | "queued" | "lost";

/** Receives the events of a channel. Nothing is called before the function that creates the channel returns. */
export interface ChannelEvents {
  /** Called with each message, whose memory belongs to the receiver. */
  onMessage(message: Uint8Array): void;
  /** Called when a channel that was `queued` has room again. */
  onDrain(): void;
  /** Called once, when the channel has ended for any reason, unless this server has cut or closed it. */
  onClosed(reason: string): void;
}
