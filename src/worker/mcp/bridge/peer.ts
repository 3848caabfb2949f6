import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** An MCP server that speaks in single messages, not HTTP: a process, or a connection. */
export interface Peer {
  /** False when it does not take any more: it is over, or reads too slowly. */
  send(message: JSONRPCMessage): boolean;
  /** It reads more slowly than it is sent to: what can be refused should be. */
  readonly isFull: boolean;
  /** Makes it end. Resolves when it has, within a few seconds at most. */
  close(): Promise<void>;
}

export interface PeerEvents {
  readonly onMessage: (message: JSONRPCMessage) => void;
  /** Called once, however it ended: also when it could not be started. No message follows. */
  readonly onExit: (reason: string) => void;
}

/** Starts a peer. Never throws and calls nothing before it has returned: what goes wrong is told by `onExit`. */
export type OpenPeer = (events: PeerEvents) => Peer;

/** The largest message, and the most that may wait for a peer to read it. Three times what the public server lets through. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
