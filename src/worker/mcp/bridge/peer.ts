import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** An MCP server that exchanges single messages instead of HTTP: a process or a connection. */
export interface Peer {
  /** Sends a message. Returns false when the peer accepts no more: it has ended, or reads too slowly. */
  send(message: JSONRPCMessage): boolean;
  /** Whether the peer reads too slowly. Requests that can be refused should be. */
  readonly isFull: boolean;
  /** Ends the peer. Resolves when it has ended, after a few seconds at most. */
  close(): Promise<void>;
}

export interface PeerEvents {
  readonly onMessage: (message: JSONRPCMessage) => void;
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
