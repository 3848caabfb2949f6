import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { RawAnswer } from "./direct/plain-answer.ts";
import type { PlainCall } from "./direct/plain-call.ts";

/** An MCP server that exchanges single messages instead of HTTP: a process or a connection. */
export interface Peer {
  /** Sends a message. Returns false when the peer accepts no more: it has ended, or reads too slowly. */
  send(message: JSONRPCMessage): boolean;
  /**
   * Sends a request of a session as `send` does, in its own bytes. Returns false for one that has to be sent as others are; nothing has become of it
   * then. Absent: so are all requests.
   */
  forward?(call: PlainCall): boolean;
  /** Whether the peer reads too slowly. Requests that can be refused should be. */
  readonly isFull: boolean;
  /** Ends the peer. Resolves when it has ended, after a few seconds at most. */
  close(): Promise<void>;
}

export interface PeerEvents {
  /** `raw` is an answer in its own bytes, where they are known and say the same as the message, but for its id. */
  readonly onMessage: (message: JSONRPCMessage, raw?: RawAnswer) => void;
  /** Called once, however the peer ended, also when it could not be started. No message follows. */
  readonly onExit: (reason: string) => void;
}

/** Starts a peer. Never throws, reports failures by `onExit`, and MUST NOT call an event before it has returned. */
export type OpenPeer = (events: PeerEvents) => Peer;

/** An MCP server of which any number of peers can be opened, one for each session. */
export interface PeerSource {
  readonly openPeer: OpenPeer;
  /** Whether the peers may speak a revision of MCP without sessions. */
  readonly maybeStateless: boolean;
}

/** The largest message, and the most that may wait for a peer to read. Three times what the public server lets through. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
