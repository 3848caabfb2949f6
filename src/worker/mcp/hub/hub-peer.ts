import {
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  SERVER_INFO_META_KEY,
} from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { VERSION } from "../../../system/version.ts";
import { LISTEN_METHOD } from "../../../wire/mcp-headers.ts";
import { FIRST_STATELESS } from "../bridge/era.ts";
import type { Peer, PeerEvents } from "../bridge/peer.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { AskedBack } from "./asked-back.ts";
import { type Dialect, OLDER, sameDialect } from "./dialect.ts";
import { exposedAnswer, exposedNotification } from "./exposed.ts";
import { agreedVersion, factsIn, mergedFacts } from "./facts.ts";
import { gather } from "./gather.ts";
import type { MemberLink } from "./link.ts";
import { Links } from "./links.ts";
import { Listening } from "./listening.ts";
import { Listing } from "./listing.ts";
import { CHANGED, LISTS, resultOf } from "./lists.ts";
import type { Member } from "./member.ts";
import { type Known, type Target, targetOf, UNKNOWN_METHOD } from "./targets.ts";

/** What all sessions of a hub share. */
export interface HubShared extends Known {
  /** The name by which clients know the hub. */
  readonly name: string;
  readonly clock: Clock;
}

/** The most requests at once of one session. */
const MAX_OPEN = 10_000;
/** The most pages that are read to find a name that was shortened. */
const MAX_PAGES = 50;

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
    if (isJSONRPCRequest(message)) this.#ask(message);
    else if (isJSONRPCResponse(message)) this.#askedBack.answer(message);
    else this.#tell(message);
    return true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#links.close().then(() => this.#events.onExit("it has been closed"));
    return this.#closing;
  }

  #ask(request: JSONRPCRequest): void {
    this.#isStateless ||= this.#opening === undefined && request.method !== "initialize";
    if (this.#open.size >= MAX_OPEN)
      return this.#answer(rpcError(RPC.server, "Too many requests are open.", request.id));
    const list = LISTS.get(request.method);
    if (list)
      return this.#begin(
        request.id,
        this.#listing.ask(request, list, (answer) => this.#finish(answer)),
      );
    switch (request.method) {
      case "initialize":
        return this.#initialize(request);
      case "server/discover":
        return this.#discover(request);
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

  #targetOf(request: JSONRPCRequest): Target {
    const [only, ...others] = this.#hub.members;
    // A method that is not known belongs to the only server, if there is one.
    const other: Target = only && others.length === 0 ? { kind: "member", member: only, request } : UNKNOWN_METHOD;
    return targetOf(request, this.#hub) ?? other;
  }

  #askFor(request: JSONRPCRequest, target: Target): void {
    switch (target.kind) {
      case "member":
        return this.#askMember(target.member, target.request, (answer) => this.#finish(answer));
      case "any":
        return this.#askAny(target.members, request);
      case "unlisted":
        return this.#listFirst(request, target.member, { ...request, method: target.method, params: {} }, MAX_PAGES);
      case "refused":
        return this.#answer(rpcError(target.code, target.message, request.id));
      default:
        return target satisfies never;
    }
  }

  #askMember(member: Member, request: JSONRPCRequest, onAnswer: (answer: JSONRPCResponse) => void): void {
    const { owners } = this.#hub;
    const cancel = this.#links.of(member).ask(request, (message) => {
      if ("method" in message) this.#deliver(exposedNotification(message, member, owners));
      else onAnswer(exposedAnswer(message, member, owners));
    });
    this.#begin(request.id, cancel);
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
      else this.#finish(rpcError(-32_602, `${String(request.params?.["name"])} not found`, request.id));
    });
    this.#begin(request.id, cancel);
  }

  /** Asks all servers that are open; the others hear of it once they are. */
  #askAll(request: JSONRPCRequest, capability: string): void {
    const members = this.#hub.members.filter(
      (member) => this.#links.of(member).isOpen && member.facts?.capabilities[capability] !== undefined,
    );
    const questions = members.map((member) => ({
      member,
      ask: (take: (answer: JSONRPCResponse) => void) =>
        this.#links.of(member).ask(request, (message) => {
          if (!("method" in message)) take(message);
        }),
    }));
    const cancel = gather(questions, {
      clock: this.#hub.clock,
      onDone: (answers) => {
        const all = [...answers.values()];
        const good = all.find((answer) => resultOf(answer) !== undefined);
        this.#finish({ ...(good ?? all[0] ?? { jsonrpc: "2.0", result: {} }), id: request.id });
      },
    });
    this.#begin(request.id, cancel);
  }

  #initialize(request: JSONRPCRequest): void {
    this.#opening = request;
    const { name, members } = this.#hub;
    this.#meet(
      request,
      (member, onMet) => this.#links.of(member).whenSettled(onMet),
      () => ({
        protocolVersion: agreedVersion(request.params?.["protocolVersion"]),
        serverInfo: { name, version: VERSION },
        ...mergedFacts(members),
      }),
    );
  }

  #discover(request: JSONRPCRequest): void {
    const { name, members } = this.#hub;
    const ask = (member: Member, onMet: () => void): (() => void) =>
      this.#links.of(member).ask(request, (message) => {
        if ("method" in message) return;
        const result = resultOf(message);
        if (result) member.noteOpened(factsIn(result));
        onMet();
      });
    this.#meet(request, ask, () => ({
      supportedVersions: [FIRST_STATELESS],
      ...mergedFacts(members),
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { [SERVER_INFO_META_KEY]: { name, version: VERSION } },
    }));
  }

  /** Answers a client's first request once it is known what the servers can do. Known ones start when they are needed. */
  #meet(
    request: JSONRPCRequest,
    ask: (member: Member, onMet: () => void) => () => void,
    result: () => Readonly<Record<string, unknown>>,
  ): void {
    const { clock, members } = this.#hub;
    const unknown = members.filter(({ facts }) => facts === undefined);
    const questions = unknown.map((member) => ({
      member,
      ask: (take: (answer: undefined) => void) => ask(member, () => take(undefined)),
    }));
    const onDone = (): void => this.#finish({ jsonrpc: "2.0", id: request.id, result: result() });
    this.#begin(request.id, gather(questions, { clock, onDone }));
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

  #finish(answer: JSONRPCResponse): void {
    if (answer.id !== undefined) this.#open.delete(answer.id);
    this.#deliver(answer);
  }

  /** Answers a request at once, but not before `send` has returned. */
  #answer(answer: JSONRPCResponse): void {
    queueMicrotask(() => this.#deliver(answer));
  }

  #deliver(message: JSONRPCMessage): void {
    if (this.#closing === undefined) this.#events.onMessage(message);
  }
}

/** Finds out how a server speaks with clients without sessions. */
async function dialectFor({ server, era }: Member): Promise<Dialect> {
  if (!server.maybeStateless) return OLDER;
  const versions = await era.versions();
  return versions.includes(FIRST_STATELESS) ? sameDialect(undefined) : OLDER;
}

/** Answers a server's request where there is no session in which to ask a client. */
function answerAlone({ id, method }: JSONRPCRequest): JSONRPCResponse {
  if (method === "ping") return { jsonrpc: "2.0", id, result: {} };
  return rpcError(RPC.methodNotFound, "There is no session in which to ask.", id);
}
