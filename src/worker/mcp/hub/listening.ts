import {
  type JSONRPCNotification,
  type JSONRPCRequest,
  type RequestId,
  SUBSCRIPTION_ID_META_KEY,
} from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";
import type { CancelTimer, Clock } from "../../../system/deps.ts";
import { exposedNotification } from "./exposed.ts";
import type { MemberLink } from "./link.ts";
import type { Links } from "./links.ts";
import type { Member } from "./member.ts";
import type { Known } from "./targets.ts";

export interface ListeningOptions {
  readonly known: Known;
  readonly links: Links;
  readonly clock: Clock;
  readonly deliver: (message: JSONRPCNotification) => void;
}

/** One client's request to be told of changes. */
interface Listener {
  readonly request: JSONRPCRequest;
  readonly wants: Readonly<Record<string, unknown>>;
  readonly uris: readonly string[];
  /** What ends its parts at the servers. */
  readonly parts: Map<MemberLink, () => void>;
  /** What ends its waiting for servers that are being opened. */
  readonly waits: (() => void)[];
  isAcknowledged: boolean;
  readonly stopTimer: CancelTimer;
}

/** The notifications of changed lists, by the wish for them. */
const LIST_WISHES: ReadonlyMap<string, string> = new Map([
  ["notifications/tools/list_changed", "toolsListChanged"],
  ["notifications/prompts/list_changed", "promptsListChanged"],
  ["notifications/resources/list_changed", "resourcesListChanged"],
]);
const UPDATED = "notifications/resources/updated";
const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";
/** The most resources of one listener. */
const MAX_URIS = 1000;
/** How long to wait for the servers before a listener is told that it is heard. */
const ACKNOWLEDGE_MS = 1000;

/** The listeners of clients without sessions. Each listens to all servers; those that know only sessions are subscribed to. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #listeners = new Map<RequestId, Listener>();

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Begins to listen. Returns what ends it. */
  listen(request: JSONRPCRequest): () => void {
    const { links, clock } = this.#options;
    const asked = request.params?.["notifications"];
    const wants = isRecord(asked) ? asked : {};
    const given = wants["resourceSubscriptions"];
    const uris = Array.isArray(given) ? given.filter((uri) => typeof uri === "string").slice(0, MAX_URIS) : [];
    const listener: Listener = {
      request,
      wants,
      uris,
      parts: new Map(),
      waits: [],
      isAcknowledged: false,
      stopTimer: clock.after(ACKNOWLEDGE_MS, () => this.#acknowledge(listener)),
    };
    this.#listeners.set(request.id, listener);
    let missing = links.all.length;
    for (const link of links.all) {
      const stopWaiting = link.whenSettled(() => {
        this.#join(listener, link);
        missing -= 1;
        if (missing === 0) this.#acknowledge(listener);
      });
      listener.waits.push(stopWaiting);
    }
    return () => this.#end(listener);
  }

  /** Lets all listeners listen to a server that has been opened, maybe again. */
  join(link: MemberLink): void {
    for (const listener of this.#listeners.values()) this.#join(listener, link);
  }

  leave(link: MemberLink): void {
    for (const { parts } of this.#listeners.values()) parts.delete(link);
  }

  /** Takes a notification of a server that knows only sessions, or of the hub itself, in the names that clients know. */
  notice(message: JSONRPCNotification): void {
    const wish = LIST_WISHES.get(message.method);
    const uri = message.params?.["uri"];
    for (const listener of this.#listeners.values()) {
      const isWanted =
        wish === undefined
          ? message.method === UPDATED && listener.uris.some((each) => each === uri)
          : listener.wants[wish] === true;
      if (isWanted) this.#tell(listener, message);
    }
  }

  #join(listener: Listener, link: MemberLink): void {
    if (!link.isOpen || listener.parts.has(link) || !this.#listeners.has(listener.request.id)) return;
    const { member } = link;
    const uris = listener.uris.flatMap((uri) => this.#ownUri(member, uri));
    listener.parts.set(link, link.isOlder ? this.#subscribe(listener, link, uris) : this.#listen(listener, link, uris));
  }

  /** Returns the server's own name for a resource, if it has it or nobody knows who does. */
  #ownUri(member: Member, uri: string): readonly string[] {
    const owned = this.#options.known.owners.find(uri);
    if (member.server.rules?.resource(owned?.uri ?? uri) === false) return [];
    return owned === undefined ? [uri] : owned.member === member ? [owned.uri] : [];
  }

  #listen(listener: Listener, link: MemberLink, uris: readonly string[]): () => void {
    const { request, wants } = listener;
    const { owners } = this.#options.known;
    const { resourceSubscriptions: _, ...others } = wants;
    const notifications = uris.length === 0 ? others : { ...others, resourceSubscriptions: uris };
    return link.ask({ ...request, params: { ...request.params, notifications } }, (message) => {
      // The end of a server's part is noticed when the server is lost.
      if ("method" in message && message.method !== ACKNOWLEDGED)
        this.#tell(listener, exposedNotification(message, link.member, owners));
    });
  }

  #subscribe(listener: Listener, link: MemberLink, uris: readonly string[]): () => void {
    if (!isRecord(link.member.facts?.capabilities["resources"])) return () => {};
    const request = (method: string, uri: string): JSONRPCRequest => ({
      jsonrpc: "2.0",
      id: 0,
      method,
      params: { uri },
    });
    for (const uri of uris) link.ask(request("resources/subscribe", uri), () => {});
    return () => {
      for (const uri of uris) {
        const isWanted = [...this.#listeners.values()].some((other) => other !== listener && other.uris.includes(uri));
        if (!isWanted && link.isOpen) link.ask(request("resources/unsubscribe", uri), () => {});
      }
    };
  }

  #tell(listener: Listener, { method, params }: JSONRPCNotification): void {
    this.#acknowledge(listener);
    const _meta = { ...params?._meta, [SUBSCRIPTION_ID_META_KEY]: listener.request.id };
    this.#options.deliver({ jsonrpc: "2.0", method, params: { ...params, _meta } });
  }

  /** Tells a listener that it is heard, which comes before anything else. */
  #acknowledge(listener: Listener): void {
    if (listener.isAcknowledged || !this.#listeners.has(listener.request.id)) return;
    listener.isAcknowledged = true;
    listener.stopTimer();
    const lists = [...LIST_WISHES.values()].flatMap((wish) => (listener.wants[wish] === true ? [[wish, true]] : []));
    const notifications = {
      ...Object.fromEntries(lists),
      ...(listener.uris.length === 0 ? {} : { resourceSubscriptions: listener.uris }),
    };
    this.#tell(listener, { jsonrpc: "2.0", method: ACKNOWLEDGED, params: { notifications } });
  }

  #end(listener: Listener): void {
    this.#listeners.delete(listener.request.id);
    listener.stopTimer();
    for (const stopWaiting of listener.waits) stopWaiting();
    for (const end of listener.parts.values()) end();
    listener.parts.clear();
  }
}
