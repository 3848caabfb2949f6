/** A way for messages to one peer, each once, whole and in order: a socket, or a lane over the bus. */
export interface Channel {
  /** How the messages travel. */
  readonly kind: "direct" | "lane";
  /**
   * Sends one message, and has copied it when it returns. `queued`: sending should pause until `onDrain`. `lost`: the
   * channel is of no more use.
   */
  send(message: Uint8Array): SendResult;
  /** Ends with a reason for the peer's log. */
  close(reason: string): void;
  /** Ends without waiting for what was sent, because the peer gives no sign of life. */
  cut(): void;
}

export type SendResult = "sent" | "queued" | "lost";

/** The owner of a channel. Nothing is called before the function that has made the channel returns. */
export interface ChannelEvents {
  /** Called with each message, whose memory belongs to the receiver. */
  onMessage(message: Uint8Array): void;
  /** Called when a channel that was `queued` has room again. */
  onDrain(): void;
  /** Called once, when the channel has ended for any reason, unless this server has cut or closed it. */
  onClosed(reason: string): void;
}
