import {
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  LOG_LEVEL_META_KEY,
} from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { isRequest, isResponse } from "./message-kinds.ts";
import type { OpenPeer, Peer } from "./peer.ts";
import { errorResponse, RPC, rpcError } from "./rpc-error.ts";
import { SharedCall } from "./shared-call.ts";
import { namesOf, type OwnNames, sharedIdOf, toOwn, toShared } from "./shared-ids.ts";

export interface SharedPeerOptions {
  readonly openPeer: OpenPeer;
  /** How long the peer may be unused before it ends. */
  readonly idleMs: number;
  readonly clock: Clock;
  /** Called with every result on its way to a client, and the method of its request. */
  readonly onResult: (method: string, result: unknown) => void;
}

/** The client's side of a request. */
export interface Asking {
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  readonly acceptsEvents: boolean;
}

interface Open {
  readonly method: string;
  readonly names: OwnNames;
  readonly call: SharedCall;
  readonly stopWatching: () => void;
}

const SWEEP_MS = 15_000;
/** The most requests at once of all clients: far above what the public server lets through to one relay. */
const MAX_OPEN = 10_000;

/**
 * The one peer that serves all requests of stateless revisions. It is opened on demand, again after it has ended, and ended
 * when it has been idle for a while.
 */
export class SharedPeer {
  readonly #options: SharedPeerOptions;
  readonly #stopSweep: () => void;
  readonly #open = new Map<number, Open>();
  /** The requests that asked for log messages. The messages do not name their request. */
  readonly #logging = new Set<number>();
  #peer: Peer | undefined;
  readonly #closing = new Set<Promise<void>>();
  #count = 0;
  #lastUsedAt = 0;
  #isClosed = false;

  constructor(options: SharedPeerOptions) {
    this.#options = options;
    this.#stopSweep = options.clock.every(SWEEP_MS, () => this.#sweep());
  }

  /** Sends a request to the peer. It is cancelled when the client leaves, by `signal` or by its answer's stream. */
  async ask(request: JSONRPCRequest, { signal, acceptsEvents }: Asking): Promise<Response> {
    if (this.#isClosed || this.#open.size >= MAX_OPEN || this.#peer?.isFull) {
      return errorResponse(503, RPC.server, "The MCP server accepts no more requests.", request.id);
    }
    this.#count += 1;
    const id = this.#count;
    const leave = (): void => this.#cancel(id);
    const call = new SharedCall({ clock: this.#options.clock, acceptsEvents, onLeft: leave });
    signal.addEventListener("abort", leave, { once: true });
    const stopWatching = (): void => signal.removeEventListener("abort", leave);
    this.#open.set(id, { method: request.method, names: namesOf(request), call, stopWatching });
    if (request.params?._meta?.[LOG_LEVEL_META_KEY] !== undefined) this.#logging.add(id);
    if (signal.aborted) this.#cancel(id);
    else this.#send(toShared(request, id));
    return call.answer;
  }

  /** Passes a notification on, or drops it: one client's notifications must not end a peer that reads slowly. */
  tell(message: JSONRPCNotification): void {
    if (!this.#peer?.isFull) this.#send(message);
  }

  #send(message: JSONRPCRequest | JSONRPCNotification): void {
    if (this.#isClosed) return;
    this.#lastUsedAt = this.#options.clock.elapsed();
    this.#peer ??= this.#start();
    if (!this.#peer.send(message)) this.#lose(this.#peer, "it accepts no more messages");
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopSweep();
    if (this.#peer) this.#lose(this.#peer, "the worker stops");
    await Promise.all(this.#closing);
  }

  #start(): Peer {
    const peer: Peer = this.#options.openPeer({
      onMessage: (message) => this.#receive(peer, message),
      onExit: (reason) => this.#lose(peer, reason),
    });
    return peer;
  }

  #receive(peer: Peer, message: JSONRPCMessage): void {
    if (peer !== this.#peer) return;
    if (isRequest(message)) {
      // Servers of these revisions send no requests; one that does must not wait for ever.
      peer.send(rpcError(RPC.methodNotFound, "There is no session in which to ask.", message.id));
      return;
    }
    const id = sharedIdOf(message) ?? this.#loggingFor(message);
    const open = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !open) return;
    const own = toOwn(message, open.names);
    if (!isResponse(own)) return open.call.tell(own);
    this.#forget(id);
    if ("result" in own) this.#options.onResult(open.method, own.result);
    open.call.finish(own);
  }

  /** Returns the request that a log message belongs to, if only one asked for them: no client may see another's. */
  #loggingFor(message: JSONRPCMessage): number | undefined {
    if (!("method" in message) || message.method !== "notifications/message" || this.#logging.size !== 1)
      return undefined;
    return [...this.#logging][0];
  }

  #cancel(id: number): void {
    const open = this.#open.get(id);
    if (!open) return;
    this.#forget(id);
    open.call.drop();
    const params = { requestId: id, reason: "the client has left" };
    this.#peer?.send({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  }

  #forget(id: number): void {
    this.#open.get(id)?.stopWatching();
    this.#open.delete(id);
    this.#logging.delete(id);
    this.#lastUsedAt = this.#options.clock.elapsed();
  }

  /** Ends `peer`, unless it has ended by itself, and fails every request that waits for it. */
  #lose(peer: Peer, reason: string): void {
    if (peer !== this.#peer) return;
    this.#peer = undefined;
    const closing = peer.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    for (const [id, { names, call }] of [...this.#open]) {
      this.#forget(id);
      call.finish(rpcError(RPC.internal, `The MCP server did not answer: ${reason}.`, names.id), 502);
    }
  }

  #sweep(): void {
    const { clock, idleMs } = this.#options;
    const isIdle = this.#open.size === 0 && clock.elapsed() - this.#lastUsedAt >= idleMs;
    if (this.#peer && isIdle) this.#lose(this.#peer, "it was idle");
  }
}
