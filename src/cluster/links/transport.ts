import type { Channel, ChannelEvents } from "./channel.ts";

/** Sockets between servers. */
export interface LinkTransport {
  /**
   * Dials an address, `host:port`. Calls `onOpen` once when the socket is open, or `onFailed` once with a reason for people;
   * neither after the returned function was called.
   */
  dial(address: string, authorization: string, dialling: Dialling): CancelDial;
  /** Accepts sockets, as `accept` says, until the result is closed. Throws if the address cannot be used. */
  listen(where: ListenAddress, accept: Accept): LinkListener;
}

export interface Dialling {
  /** Returns the receiver of the channel's events. */
  onOpen(channel: Channel): ChannelEvents;
  onFailed(reason: string): void;
}

export type CancelDial = () => void;

/**
 * Judges a request for a socket by its `Authorization` header. Returns the function that takes the open channel, or undefined
 * to refuse it. `address` is that of the other end, for the log.
 */
export type Accept = (
  authorization: string | null,
  address: string | undefined,
) => ((channel: Channel) => ChannelEvents) | undefined;

export interface ListenAddress {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface LinkListener {
  readonly port: number;
  /** Accepts no more sockets, and closes those that are open. */
  close(): void;
}
