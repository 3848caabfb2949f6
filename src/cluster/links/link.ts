import type { Session } from "../../tunnel/session.ts";

/**
 * How a peer can be reached. `direct`: over a WebSocket. `lane`: over the bus, because neither server can dial the other.
 * `connecting`: not yet, or not at this moment. `unreachable`: not at all, because dialling has failed.
 */
export type LinkState = "connecting" | "direct" | "lane" | "unreachable";

/** The link to one peer, as the other parts of the cluster use it. */
export interface Link {
  /** The id of the other server. */
  readonly peerId: string;
  readonly state: LinkState;
  /**
   * The session on which exchanges with the peer are opened; undefined while there is no link. A new connection brings a new
   * session. Exchanges that run on the old one continue there.
   */
  readonly session: Session | undefined;
  /** Milliseconds that a message takes to the peer and back; undefined until it is measured. */
  readonly rttMs: number | undefined;
  /** The address that was dialled last, as `host:port`; undefined before the first dial. */
  readonly dialled: string | undefined;
  /** Why the last dial failed; undefined if it did not. */
  readonly dialError: string | undefined;
  /** Bytes since this server started, also over connections that have ended. */
  readonly traffic: { readonly bytesIn: number; readonly bytesOut: number };
  /**
   * Sends a small message about a topic. Returns false if there is no link, or if it is so congested that the message was
   * dropped. The caller sends again later what must arrive.
   */
  tell(topic: string, text: string): boolean;
}

/** The links to all peers. */
export interface PeerLinks {
  /** Returns the link to a peer; undefined for a server that is not a peer. */
  linkTo(peerId: string): Link | undefined;
  /**
   * Calls `handler` with every message about the topic. A topic has 1 to 32 lower-case letters, digits and `_`, and one
   * handler. Messages about other topics are dropped, so that versions can differ.
   */
  onTell(topic: string, handler: (peerId: string, text: string) => void): void;
  /** Calls `listener` when the state of a link has changed. */
  onChange(listener: (link: Link) => void): void;
}
