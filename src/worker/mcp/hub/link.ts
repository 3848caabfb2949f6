import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from "@modelcontextprotocol/server";
import type { RawAnswer } from "../bridge/direct/plain-answer.ts";
import type { PlainCall } from "../bridge/direct/plain-call.ts";
import { isErrorResponse, isRequest, isResponse } from "../bridge/message-kinds.ts";
import type { Peer } from "../bridge/peer.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { namesOf, type OwnNames, sharedIdOf, toOwn, toShared } from "../bridge/shared-ids.ts";
import type { Dialect } from "./dialect.ts";
import { factsIn } from "./facts.ts";
import type { Member } from "./member.ts";

/** What a link tells its session. */
export interface LinkEvents {
  /** A notification that belongs to no request. */
  readonly onNotification: (link: MemberLink, message: JSONRPCNotification) => void;
  readonly onRequest: (link: MemberLink, message: JSONRPCRequest) => void;
  /** The link is open. */
  readonly onOpened: (link: MemberLink) => void;
  /** The server has ended, or could not be opened. The next request opens it again. */
  readonly onLost: (link: MemberLink) => void;
}

/** Receives what belongs to a request, in the request's own names; the response comes last, with its bytes if they still say the same. */
export type Deliver = (message: JSONRPCNotification | JSONRPCResponse, raw?: RawAnswer) => void;

interface OpenCall {
  readonly request: JSONRPCRequest;
  readonly names: OwnNames;
  readonly deliver: Deliver;
}

/** Chooses how to speak with a server, which may have to be asked first. */
export type ChooseDialect = (member: Member) => Dialect | Promise<Dialect>;

/** The id of the handshake; those of requests are above it. */
const OPENING_ID = 0;
/** The most characters of a server's own words in an error about it. */
const MAX_REASON_CHARS = 200;
/** The most requests at once of one session to one server. */
const MAX_OPEN = 10_000;

/** One session's connection with one MCP server. The first request opens it, and it is opened again after it has ended. */
export class MemberLink {
  readonly member: Member;
  readonly #chooseDialect: ChooseDialect;
  readonly #events: LinkEvents;
  readonly #calls = new Map<number, OpenCall>();
  /** The requests that wait until the server is open. */
  #waiting: number[] = [];
  #state: "idle" | "opening" | "open" = "idle";
  #peer: Peer | undefined;
  #dialect: Dialect | undefined;
  /** Wait to hear whether the server could be opened. */
  readonly #watchers = new Set<() => void>();
  readonly #closing = new Set<Promise<void>>();
  #count = OPENING_ID;
  #isClosed = false;
  /** Whether the client has finished its handshake, and whether the server has been told. */
  #isReady = false;
  #isReadySent = false;

  constructor(member: Member, chooseDialect: ChooseDialect, events: LinkEvents) {
    this.member = member;
    this.#chooseDialect = chooseDialect;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether the server, which is open, knows only sessions while the client has none. */
  get isOlder(): boolean {
    return this.#dialect?.isOlder === true;
  }

  /** Opens the server, unless it is open or opening, or should not be tried now. */
  open(): void {
    if (this.#state !== "idle" || this.#isClosed) return;
    const { refusal } = this.member;
    if (refusal !== undefined) return this.#failAll(refusal);
    this.#state = "opening";
    const dialect = this.#chooseDialect(this.member);
    if (dialect instanceof Promise) void dialect.then((chosen) => this.#start(chosen));
    else this.#start(dialect);
  }

  /** Opens the server, and calls `onSettled` once it is open or could not be opened. Returns what cancels that. */
  whenSettled(onSettled: () => void): () => void {
    this.#watchers.add(onSettled);
    queueMicrotask(() => (this.#state === "open" ? this.#settle() : this.open()));
    return () => this.#watchers.delete(onSettled);
  }

  /** Sends a request. Returns what cancels it, after which nothing is delivered. A refusal is delivered later as well. */
  ask(request: JSONRPCRequest, deliver: Deliver): () => void {
    this.#count += 1;
    const id = this.#count;
    if (this.#isClosed || this.#calls.size >= MAX_OPEN || this.#peer?.isFull) {
      const refusal = this.#error("it accepts no more requests", request);
      queueMicrotask(() => deliver(refusal));
      return () => {};
    }
    const call: OpenCall = { request, names: namesOf(request), deliver };
    this.#calls.set(id, call);
    if (this.#state === "open") this.#pass(id, call);
    else {
      this.#waiting.push(id);
      // A failure to open would be delivered before this returns.
      if (this.#state === "idle") queueMicrotask(() => this.open());
    }
    return () => this.#cancel(id);
  }

  /**
   * Does the same with a call in its own bytes. Undefined for one that has to be asked as others are: the server is not open, is
   * translated, or takes messages only.
   */
  forward(call: PlainCall, deliver: Deliver): (() => void) | undefined {
    const peer = this.#peer;
    if (this.#isClosed || this.#state !== "open" || this.isOlder || !peer?.forward) return undefined;
    if (this.#calls.size >= MAX_OPEN || peer.isFull) return undefined;
    this.#sendReady();
    this.#count += 1;
    const id = this.#count;
    const { message } = call;
    if (!peer.forward({ ...call, message: toShared(message, id) })) return undefined;
    this.#calls.set(id, { request: message, names: namesOf(message), deliver });
    return () => this.#cancel(id);
  }

  /** Passes a message on that expects no answer, if the server is open. */
  tell(message: JSONRPCNotification | JSONRPCResponse): void {
    if (this.#state === "open" && this.#peer?.isFull === false) this.#send(message);
  }

  /** Says that the client has finished its handshake. The server must not hear of it before its own. */
  ready(): void {
    this.#isReady = true;
    if (this.#state === "open") this.#sendReady();
  }

  /** Ends the link. Resolves when the server has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#peer) this.#lose(this.#peer, "its client has left");
    else this.#failAll("its client has left");
    await Promise.all(this.#closing);
  }

  #pass(id: number, { request, deliver }: OpenCall): void {
    this.#sendReady();
    const own = this.#dialect?.answer?.(request, this.member.facts);
    if (own) {
      this.#calls.delete(id);
      return queueMicrotask(() => deliver(own));
    }
    this.#send(toShared(this.#dialect?.toMember(request) ?? request, id));
  }

  #send(message: JSONRPCMessage): void {
    const peer = this.#peer;
    if (peer && !peer.send(message)) queueMicrotask(() => this.#lose(peer, "it accepts no more messages"));
  }

  #sendReady(): void {
    if (this.#isReadySent || this.#dialect?.opening === undefined) return;
    this.#isReadySent = true;
    this.#send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }

  #start(dialect: Dialect): void {
    if (this.#isClosed) return;
    this.#dialect = dialect;
    const peer: Peer = this.member.server.openPeer({
      onMessage: (message, raw) => this.#receive(peer, message, raw),
      onExit: (reason) => this.#lose(peer, reason),
    });
    this.#peer = peer;
    if (dialect.opening === undefined) this.#begin();
    else this.#send({ ...dialect.opening, id: OPENING_ID });
  }

  #begin(): void {
    this.#state = "open";
    if (this.#isReady || this.isOlder) this.#sendReady();
    this.#settle();
    this.#events.onOpened(this);
    for (const id of this.#waiting.splice(0)) {
      const call = this.#calls.get(id);
      if (call) this.#pass(id, call);
    }
  }

  #receive(peer: Peer, message: JSONRPCMessage, raw: RawAnswer | undefined): void {
    if (peer !== this.#peer) return;
    if (isRequest(message)) return this.#events.onRequest(this, message);
    if (!isResponse(message)) return this.#notice(message);
    if (message.id === OPENING_ID && this.#state === "opening") return this.#handleOpening(peer, message);
    const id = sharedIdOf(message);
    const call = id === undefined ? undefined : this.#calls.get(id);
    if (id === undefined || !call) return;
    this.#calls.delete(id);
    this.#deliver(call, message, raw);
  }

  #notice(message: JSONRPCNotification): void {
    const call = this.#calls.get(sharedIdOf(message) ?? OPENING_ID);
    if (call) this.#deliver(call, message);
    // A late progress report belongs to nobody any more.
    else if (message.method !== "notifications/progress") this.#events.onNotification(this, message);
  }

  #deliver(
    { request, names, deliver }: OpenCall,
    message: JSONRPCNotification | JSONRPCResponse,
    raw?: RawAnswer,
  ): void {
    // Its names are those of the request, and so is its kind.
    const own = toOwn(message, names) as typeof message;
    const told = this.#dialect?.toClient(request.method, own) ?? own;
    deliver(told, raw && hasSameResult(message, told) ? raw : undefined);
  }

  #handleOpening(peer: Peer, answer: JSONRPCResponse): void {
    if (isErrorResponse(answer))
      return this.#lose(peer, `it refused to begin: ${answer.error.message.slice(0, MAX_REASON_CHARS)}`);
    this.member.noteOpened(factsIn(answer.result));
    this.#begin();
  }

  #settle(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const each of watchers) each();
  }

  #cancel(id: number): void {
    if (!this.#calls.delete(id)) return;
    const isWaiting = this.#waiting.includes(id);
    if (isWaiting) this.#waiting = this.#waiting.filter((each) => each !== id);
    else this.#send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
  }

  #lose(peer: Peer, reason: string): void {
    if (peer !== this.#peer) return;
    this.#peer = undefined;
    if (this.#state === "opening" && !this.#isClosed) this.member.noteFailed(reason);
    this.#state = "idle";
    this.#isReadySent = false;
    const closing = peer.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    this.#failAll(reason);
    if (!this.#isClosed) this.#events.onLost(this);
  }

  #failAll(reason: string): void {
    this.#waiting = [];
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#settle();
    for (const { request, deliver } of calls) deliver(this.#error(reason, request));
  }

  #error(reason: string, { id }: JSONRPCRequest): JSONRPCResponse {
    return rpcError(RPC.internal, `The MCP server ${this.member.key} did not answer: ${reason}.`, id);
  }
}

function hasSameResult(one: JSONRPCMessage, other: JSONRPCMessage): boolean {
  return "result" in one && "result" in other && one.result === other.result;
}
