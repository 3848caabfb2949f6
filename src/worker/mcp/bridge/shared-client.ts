import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type RequestId,
} from "@modelcontextprotocol/server";
import type { Peer, PeerEvents } from "./peer.ts";

/** The process behind a client's view of it. */
export interface ClientHost {
  readonly isFull: boolean;
  open(client: SharedClient, request: JSONRPCRequest): void;
  ask(client: SharedClient, request: JSONRPCRequest): boolean;
  tell(message: JSONRPCNotification): boolean;
  cancel(client: SharedClient, id: RequestId): void;
  leave(client: SharedClient): void;
}

/**
 * Notifications that concern one client's session only, or its answers, and mean nothing to a process of several clients.
 */
const NOT_PASSED: ReadonlySet<string> = new Set([
  "notifications/initialized",
  "notifications/progress",
  "notifications/roots/list_changed",
]);

/** One client's view of a process that it shares with others. To its session it is a peer like any other. */
export class SharedClient implements Peer {
  readonly #host: ClientHost;
  readonly #events: PeerEvents;
  #hasEnded = false;

  constructor(host: ClientHost, events: PeerEvents) {
    this.#host = host;
    this.#events = events;
  }

  get isFull(): boolean {
    return this.#host.isFull;
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#hasEnded) return false;
    if (isJSONRPCRequest(message)) {
      if (message.method !== "initialize") return this.#host.ask(this, message);
      this.#host.open(this, message);
      return true;
    }
    // The process asks clients nothing, so a response answers nothing.
    if (!isJSONRPCNotification(message) || NOT_PASSED.has(message.method)) return true;
    if (message.method !== "notifications/cancelled") return this.#host.tell(message);
    const id = message.params?.["requestId"];
    if (typeof id === "string" || typeof id === "number") this.#host.cancel(this, id);
    return true;
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return;
    this.#host.leave(this);
    this.end("its client has left");
  }

  /** Delivers a message of the process, in the client's own names. */
  deliver(message: JSONRPCMessage): void {
    if (!this.#hasEnded) this.#events.onMessage(message);
  }

  /** Reports that the process has ended, or that the client has left it. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events.onExit(reason);
  }
}
