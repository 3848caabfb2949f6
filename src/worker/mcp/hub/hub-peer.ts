import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
} from "@modelcontextprotocol/server";
import { LISTEN_METHOD } from "../../../wire/mcp-headers.ts";
import type { RawAnswer } from "../bridge/direct/plain-answer.ts";
import type { PlainCall } from "../bridge/direct/plain-call.ts";
import { isRequest, isResponse } from "../bridge/message-kinds.ts";
import type { Peer, PeerEvents } from "../bridge/peer.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { askAll } from "./ask-all.ts";
import { AskedBack } from "./asked-back.ts";
import { sameDialect } from "./dialect.ts";
import { exposedAnswer, exposedNotification } from "./exposed.ts";
import type { Deliver, MemberLink } from "./link.ts";
import { Links } from "./links.ts";
import { Listening } from "./listening.ts";
import { Listing } from "./listing.ts";
import { CHANGED, LISTS, resultOf } from "./lists.ts";
import { discover, type HubShared, initialize } from "./meeting.ts";
import type { Member } from "./member.ts";
import { answerAlone, dialectFor, unknownName } from "./own-answers.ts";
import { mayEvade, type Target, targetOf, UNKNOWN_METHOD } from "./targets.ts";

/** The most requests at once of one session. */
const MAX_OPEN = 10_000;
/** The most pages that are read to find a name that was shortened. */
const MAX_PAGES = 50;
const AMBIGUOUS = "The message has a member whose name has another case.";

type OnAnswer = (answer: JSONRPCResponse, raw: RawAnswer | undefined) => void;

/** One client's session with all servers of a hub. To the bridge it is a peer like any other. */
export class HubPeer implements Peer {
  readonly #hub: HubShared;
  readonly #events: PeerEvents;
  readonly #links: Links;
  readonly #listing: Listing;
  readonly #listening: Listening;
  readonly #askedBack = new AskedBack();
  /** What cancels the client's open requests, by their ids. */
  readonly #open = new Map<RequestId, () => void>();
  /** The handshake of a client that has a session. */
  #opening: JSONRPCRequest | undefined;
  /** Whether the requests are those of revisions without sessions. */
  #isStateless = false;
  /** The client's wish for log messages, for servers that are opened later. */
  #level: JSONRPCRequest | undefined;
  #closing: Promise<void> | undefined;
  readonly #finishing: OnAnswer = (answer, raw) => this.#finish(answer, raw);

  constructor(hub: HubShared, events: PeerEvents) {
    this.#hub = hub;
    this.#events = events;
    const { members, clock } = hub;
    this.#links = new Links({
      members,
      clock,
      chooseDialect: (member) => (this.#isStateless ? dialectFor(member) : sameDialect(this.#opening)),
      onNotification: (link, message) => this.#pass(link, message),
      onRequest: (link, message) => this.#askClient(link, message),
      onOpened: (link, isBack) => this.#handleOpened(link, isBack),
      onLost: (link) => {
        this.#askedBack.forget(link);
        this.#listening.leave(link);
      },
    });
    this.#listening = new Listening({
      known: hub,
      links: this.#links,
      clock,
      deliver: (message) => this.#deliver(message),
    });
    this.#listing = new Listing({
      known: hub,
      links: this.#links,
      clock,
      onChanged: (method) => this.#announce({ jsonrpc: "2.0", method }),
    });
  }

  /** Servers that read too slowly refuse their own requests. */
  readonly isFull = false;

  send(message: JSONRPCMessage): boolean {
    if (this.#closing !== undefined) return false;
    if (isRequest(message)) this.#ask(message);
    else if (isResponse(message)) this.#askedBack.answer(message);
    else this.#tell(message);
    return true;
  }

  forward(call: PlainCall): boolean {
    const { message } = call;
    this.#noteEra(message);
    if (this.#closing || this.#open.size >= MAX_OPEN || mayEvade(message, this.#hub)) return false;
    const target = this.#targetOf(message);
    // A request that no server's names show goes from one to the next, and others are refused.
    if (target.kind !== "member") return false;
    const { member, request } = target;
    const cancel = this.#links.of(member).forward({ ...call, message: request }, this.#taking(member, this.#finishing));
    if (cancel) this.#begin(message.id, cancel);
    return cancel !== undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#links.close().then(() => this.#events.onExit("it has been closed"));
    return this.#closing;
  }

  #ask(request: JSONRPCRequest): void {
    this.#noteEra(request);
    if (this.#open.size >= MAX_OPEN)
      return this.#answer(rpcError(RPC.server, "Too many requests are open.", request.id));
    if (mayEvade(request, this.#hub)) return this.#answer(rpcError(RPC.invalidRequest, AMBIGUOUS, request.id));
    const list = LISTS.get(request.method);
    if (list)
      return this.#begin(
        request.id,
        this.#listing.ask(request, list, (answer) => this.#finish(answer)),
      );
    switch (request.method) {
      case "initialize":
        this.#opening = request;
        return this.#begin(
          request.id,
          initialize(this.#hub, this.#links, request, (answer) => this.#finish(answer)),
        );
      case "server/discover":
        return this.#begin(
          request.id,
          discover(this.#hub, this.#links, request, (answer) => this.#finish(answer)),
        );
      case LISTEN_METHOD:
        return this.#begin(request.id, this.#listening.listen(request));
      case "ping":
        return this.#answer({ jsonrpc: "2.0", id: request.id, result: {} });
      case "logging/setLevel":
        this.#level = request;
        return this.#askAll(request, "logging");
      default:
        return this.#askFor(request, this.#targetOf(request));
    }
  }

  #noteEra({ method }: JSONRPCRequest): void {
    this.#isStateless ||= this.#opening === undefined && method !== "initialize";
  }

  #targetOf(request: JSONRPCRequest): Target {
    const [only, ...others] = this.#hub.members;
    // A method that is not known belongs to the only server, if there is one. It may be another way to what rules forbid.
    const isPassed = only !== undefined && others.length === 0 && only.server.rules === undefined;
    const other: Target = isPassed ? { kind: "member", member: only, request } : UNKNOWN_METHOD;
    return targetOf(request, this.#hub) ?? other;
  }

  #askFor(request: JSONRPCRequest, target: Target): void {
    switch (target.kind) {
      case "member":
        return this.#askMember(target.member, target.request, this.#finishing);
      case "any":
        return this.#askAny(target.members, request);
      case "unlisted":
        if (target.member.wasSearched(target.method)) return this.#answer(unknownName(request));
        return this.#listFirst(request, target.member, { ...request, method: target.method, params: {} }, MAX_PAGES);
      case "refused":
        return this.#answer(rpcError(target.code, target.message, request.id));
      default:
        return target satisfies never;
    }
  }

  #askMember(member: Member, request: JSONRPCRequest, onAnswer: OnAnswer): void {
    this.#begin(request.id, this.#links.of(member).ask(request, this.#taking(member, onAnswer)));
  }

  /** Takes what a server says to a request. */
  #taking(member: Member, onAnswer: OnAnswer): Deliver {
    const { owners } = this.#hub;
    return (message, raw) => {
      if ("method" in message) return this.#deliver(exposedNotification(message, member, owners));
      const exposed = exposedAnswer(message, member, owners);
      onAnswer(exposed, exposed === message ? raw : undefined);
    };
  }

  /** Asks one server after the other for a resource, until one has it. */
  #askAny([member, ...others]: readonly Member[], request: JSONRPCRequest): void {
    if (!member) return;
    this.#askMember(member, request, (answer) => {
      if (others.length > 0 && resultOf(answer) === undefined) this.#askAny(others, request);
      else this.#finish(answer);
    });
  }

  /** Reads a server's list, page by page, until it shows what a request means. */
  #listFirst(request: JSONRPCRequest, member: Member, list: JSONRPCRequest, pages: number): void {
    const kind = LISTS.get(list.method);
    const cancel = this.#links.of(member).ask(list, (message) => {
      if ("method" in message) return;
      const result = resultOf(message);
      if (result && kind) this.#listing.learn(kind, { member, result });
      const target = this.#targetOf(request);
      const cursor = result?.["nextCursor"];
      if (target.kind !== "unlisted") this.#askFor(request, target);
      else if (typeof cursor === "string" && pages > 1)
        this.#listFirst(request, member, { ...list, params: { cursor } }, pages - 1);
      else {
        member.noteSearched(list.method);
        this.#finish(unknownName(request));
      }
    });
    this.#begin(request.id, cancel);
  }

  /** Asks all servers that are open; the others hear of it once they are. */
  #askAll(request: JSONRPCRequest, capability: string): void {
    const open = this.#hub.members.map((member) => this.#links.of(member)).filter((link) => link.isOpen);
    const links = open.filter(({ member }) => member.facts?.capabilities[capability] !== undefined);
    const cancel = askAll(links, request, { clock: this.#hub.clock, onDone: (answer) => this.#finish(answer) });
    this.#begin(request.id, cancel);
  }

  #tell(message: JSONRPCNotification): void {
    switch (message.method) {
      case "notifications/initialized":
        return this.#links.ready();
      case "notifications/cancelled":
        return this.#cancel(message.params?.["requestId"]);
      case "notifications/progress":
        return this.#askedBack.progress(message);
      default:
        for (const link of this.#links.all) link.tell(message);
    }
  }

  #cancel(id: unknown): void {
    if (typeof id !== "string" && typeof id !== "number") return;
    this.#open.get(id)?.();
    this.#open.delete(id);
  }

  /** Passes on what a server says that belongs to no request. */
  #pass(link: MemberLink, message: JSONRPCNotification): void {
    // All callers without a session share that of such a server, so nobody knows whose call it logs about.
    if (this.#isStateless && link.isOlder && message.method === "notifications/message") return;
    if (message.method !== "notifications/cancelled") {
      return this.#announce(exposedNotification(message, link.member, this.#hub.owners));
    }
    const own = this.#askedBack.cancelled(link, message);
    if (own) this.#deliver(own);
  }

  #askClient(link: MemberLink, request: JSONRPCRequest): void {
    if (this.#isStateless) return link.tell(answerAlone(request));
    const asked = this.#askedBack.toClient(link, request);
    if (asked) this.#deliver(asked);
    else link.tell(rpcError(RPC.server, "The client has too many unanswered requests.", request.id));
  }

  #handleOpened(link: MemberLink, isBack: boolean): void {
    if (this.#level) link.ask(this.#level, () => {});
    this.#listening.join(link);
    // Lists that were given lack what this server has.
    if (isBack) for (const method of CHANGED) this.#announce({ jsonrpc: "2.0", method });
  }

  /** Delivers a notification that belongs to no request. Clients without sessions hear it where they listen. */
  #announce(message: JSONRPCNotification): void {
    if (this.#isStateless && message.method !== "notifications/message") this.#listening.notice(message);
    else this.#deliver(message);
  }

  #begin(id: RequestId, cancel: () => void): void {
    this.#open.set(id, cancel);
  }

  #finish(answer: JSONRPCResponse, raw?: RawAnswer): void {
    if (answer.id !== undefined) this.#open.delete(answer.id);
    this.#deliver(answer, raw);
  }

  /** Answers a request at once, but not before `send` has returned. */
  #answer(answer: JSONRPCResponse): void {
    queueMicrotask(() => this.#deliver(answer));
  }

  #deliver(message: JSONRPCMessage, raw?: RawAnswer): void {
    if (this.#closing === undefined) this.#events.onMessage(message, raw);
  }
}
