import {
  isJSONRPCErrorResponse,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
} from "@modelcontextprotocol/server";
import type { CancelTimer, Clock } from "../../../system/deps.ts";
import { CallTurns } from "./call-turns.ts";
import type { OpenPeer, Peer, PeerEvents } from "./peer.ts";
import { RPC, rpcError } from "./rpc-error.ts";
import { type ClientHost, SharedClient } from "./shared-client.ts";
import { namesOf, type OwnNames, sharedIdOf, toOwn, toShared } from "./shared-ids.ts";
import { OPENING, OPENING_ID, toOpening } from "./shared-opening.ts";
import { SharedSubscriptions, type Subject, subjectOf } from "./shared-subscriptions.ts";

export interface SharedProcessOptions {
  readonly openPeer: OpenPeer;
  /** Whether the process gets one tool call at a time. */
  readonly isSerial: boolean;
  /** How long the process stays after its last client. */
  readonly idleMs: number;
  readonly clock: Clock;
}

interface OpenCall {
  readonly client: SharedClient;
  readonly names: OwnNames;
  /** What subscriptions depend on. The whole request may be large, and its call may stay open for long. */
  readonly subject: Subject;
}

const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/;

/**
 * One process that serves the sessions of all clients, for programs that can run only once. It is initialized once, on
 * behalf of no client. Requests get unique ids on their way in and their own on the way back. What the process says of
 * itself goes to every client. A message that is meant for one client, but names no request, goes to nobody else.
 */
export class SharedProcess implements ClientHost {
  readonly #options: SharedProcessOptions;
  readonly #clients = new Set<SharedClient>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #turns: CallTurns;
  readonly #subscriptions = new SharedSubscriptions<SharedClient>();
  /** The clients that wait for the answer to the first `initialize`. */
  #openings: { readonly client: SharedClient; readonly request: JSONRPCRequest }[] = [];
  #opened: JSONRPCResponse | undefined;
  #peer: Peer | undefined;
  readonly #closing = new Set<Promise<void>>();
  #count = OPENING_ID;
  #cancelIdle: CancelTimer = () => {};

  constructor(options: SharedProcessOptions) {
    this.#options = options;
    this.#turns = new CallTurns(options.isSerial);
  }

  /** Adds a client. The process starts with the first one's `initialize`. */
  join(events: PeerEvents): Peer {
    this.#cancelIdle();
    const client = new SharedClient(this, events);
    this.#clients.add(client);
    return client;
  }

  /** Ends the process. Resolves when it has ended. */
  async close(): Promise<void> {
    this.#cancelIdle();
    if (this.#peer) this.#lose(this.#peer, "the worker stops");
    await Promise.all(this.#closing);
  }

  get isFull(): boolean {
    return this.#peer?.isFull ?? false;
  }

  open(client: SharedClient, request: JSONRPCRequest): void {
    if (this.#opened) {
      const answer = toOpening(this.#opened, request);
      // A session expects its answer after `send` has returned.
      queueMicrotask(() => client.deliver(answer));
      return;
    }
    this.#openings.push({ client, request });
    if (this.#peer) return;
    this.#peer = this.#start();
    this.#send(OPENING);
  }

  ask(client: SharedClient, request: JSONRPCRequest): boolean {
    if (this.#subscriptions.takeRedundant(client, request)) {
      queueMicrotask(() => client.deliver({ jsonrpc: "2.0", id: request.id, result: {} }));
      return true;
    }
    const isToolCall = request.method === "tools/call";
    const refusal =
      this.isFull || (isToolCall && this.#turns.isFull)
        ? "The MCP server accepts no more requests."
        : this.#subscriptions.refusalOf(client, request);
    if (refusal !== undefined) {
      queueMicrotask(() => client.deliver(rpcError(RPC.server, refusal, request.id)));
      return true;
    }
    this.#count += 1;
    const shared = this.#count;
    this.#calls.set(shared, { client, names: namesOf(request), subject: subjectOf(request) });
    const send = (): boolean => this.#send(toShared(request, shared));
    return isToolCall ? this.#turns.take(shared, request.params, send) : send();
  }

  /** Passes a notification on, or drops it: one client's notifications must not end a process that reads slowly. */
  tell(message: JSONRPCNotification): boolean {
    return this.isFull || this.#send(message);
  }

  cancel(client: SharedClient, id: RequestId): void {
    for (const [shared, call] of this.#calls) {
      if (call.client === client && call.names.id === id) this.#drop(shared);
    }
  }

  leave(client: SharedClient): void {
    this.#clients.delete(client);
    this.#openings = this.#openings.filter((each) => each.client !== client);
    for (const [shared, call] of this.#calls) if (call.client === client) this.#drop(shared);
    for (const uri of this.#subscriptions.leave(client)) this.#unsubscribe(uri);
    const peer = this.#peer;
    if (this.#clients.size > 0 || !peer) return;
    // A program that has not answered anybody most likely never will.
    if (!this.#opened) return this.#lose(peer, "its clients have left before it answered");
    this.#cancelIdle = this.#options.clock.after(this.#options.idleMs, () =>
      this.#lose(peer, "it has no more clients"),
    );
  }

  #start(): Peer {
    const peer: Peer = this.#options.openPeer({
      onMessage: (message) => this.#receive(peer, message),
      onExit: (reason) => this.#lose(peer, reason),
    });
    return peer;
  }

  /** Sends a message. Returns false if there is no process, or if it accepts no more, in which case all clients lose it. */
  #send(message: JSONRPCMessage): boolean {
    const peer = this.#peer;
    if (!peer) return false;
    const isSent = peer.send(message);
    if (!isSent) this.#lose(peer, "it accepts no more messages");
    return isSent;
  }

  #receive(peer: Peer, message: JSONRPCMessage): void {
    if (peer !== this.#peer) return;
    if (isJSONRPCRequest(message)) this.#refuse(message);
    else if (!isJSONRPCResponse(message)) this.#pass(message);
    else if (message.id === OPENING_ID) this.#handleOpened(peer, message);
    else this.#handleResponse(message);
  }

  /** Answers a request of the process, for which no client can be chosen. */
  #refuse({ id, method }: JSONRPCRequest): void {
    const text = "This MCP server is shared by several clients and cannot ask one of them.";
    this.#send(method === "ping" ? { jsonrpc: "2.0", id, result: {} } : rpcError(RPC.methodNotFound, text, id));
  }

  #pass(message: JSONRPCNotification): void {
    if (LIST_CHANGED.test(message.method)) {
      for (const client of this.#clients) client.deliver(message);
    } else if (message.method === "notifications/resources/updated") {
      for (const client of this.#subscriptions.subscribersOf(message.params?.["uri"])) client.deliver(message);
    } else if (message.method === "notifications/message") {
      // Log messages name no call. With one call only it is clear whose they are.
      const [only, other] = this.#calls.values();
      if (only && !other) only.client.deliver(message);
    } else {
      const call = this.#calls.get(sharedIdOf(message) ?? OPENING_ID);
      call?.client.deliver(toOwn(message, call.names));
    }
  }

  #handleOpened(peer: Peer, answer: JSONRPCResponse): void {
    const openings = this.#openings.splice(0);
    const isRefused = isJSONRPCErrorResponse(answer);
    if (!isRefused) {
      this.#opened = answer;
      this.#send({ jsonrpc: "2.0", method: "notifications/initialized" });
    }
    for (const { client, request } of openings) client.deliver(toOpening(answer, request));
    if (isRefused) this.#lose(peer, "it refused to begin");
  }

  #handleResponse(response: JSONRPCResponse): void {
    const shared = sharedIdOf(response);
    const call = shared === undefined ? undefined : this.#calls.get(shared);
    if (shared === undefined || !call) return;
    this.#calls.delete(shared);
    this.#turns.end(shared);
    const { client, names, subject } = call;
    if ("result" in response) this.#subscriptions.note(client, subject);
    client.deliver(toOwn(response, names));
  }

  /** Forgets a call. If the process has received it, the process is told that its client has left. */
  #drop(shared: number): void {
    if (!this.#calls.delete(shared)) return;
    if (!this.#turns.isWaiting(shared)) {
      this.#send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: shared } });
    }
    this.#turns.end(shared);
  }

  #unsubscribe(uri: string): void {
    // A superfluous notification does less harm than ending a process that reads slowly.
    if (this.isFull) return;
    this.#count += 1;
    this.#send({ jsonrpc: "2.0", id: this.#count, method: "resources/unsubscribe", params: { uri } });
  }

  /** Ends `peer`, unless it has ended by itself, and tells every client. */
  #lose(peer: Peer, reason: string): void {
    if (peer !== this.#peer) return;
    this.#peer = undefined;
    this.#opened = undefined;
    this.#openings = [];
    this.#calls.clear();
    this.#turns.clear();
    this.#subscriptions.clear();
    this.#cancelIdle();
    const closing = peer.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    const clients = [...this.#clients];
    this.#clients.clear();
    for (const client of clients) client.end(reason);
  }
}
