import type { Clock } from "../../system/deps.ts";
import type { Bus, Unsubscribe } from "../bus.ts";
import { type Gossip, parseGossip, type Unread } from "../gossip/gossip.ts";
import type { PeerLinks } from "../links/link.ts";
import type { Peer } from "./peer.ts";

/** The topic of these messages on links. */
const TOPIC = "gossip";
/** A peer that has not been heard over the bus for this long gets gossip over its link as well. */
const UNHEARD_MS = 2000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface GossipLineOptions {
  readonly clock: Clock;
  readonly bus: Bus;
  /** The subject that all servers hear. */
  readonly subject: string;
  /** Undefined where servers have no links. */
  readonly links: PeerLinks | undefined;
  readonly peers: () => Iterable<Peer>;
  readonly onMessage: (message: Gossip, isFromBus: boolean) => void;
}

/** Carries gossip over the bus, and over the links to peers that do not hear the bus or are not heard there. */
export class GossipLine {
  /** Counts of messages that could not be read, for example because versions differ. */
  readonly ignored = { unknown: 0, malformed: 0 };
  readonly #options: GossipLineOptions;
  readonly #leave: Unsubscribe;

  constructor(options: GossipLineOptions) {
    this.#options = options;
    const { bus, subject, links } = options;
    links?.onTell(TOPIC, (peerId, text) => this.#receive(parseGossip(text), peerId));
    this.#leave = bus.subscribe(subject, ({ bytes }) => this.#receive(parseGossip(decoder.decode(bytes))));
  }

  get isUp(): boolean {
    return this.#options.bus.state.kind === "up";
  }

  /** Sends a message to all peers. */
  send(message: object): void {
    const { bus, subject, clock, peers } = this.#options;
    const { isUp } = this;
    if (isUp) bus.publish(subject, encoder.encode(JSON.stringify(message)));
    for (const peer of peers()) {
      if (!peer.isLinked) continue;
      const isUnheard = clock.elapsed() - (peer.busHeardAt ?? Number.NEGATIVE_INFINITY) >= UNHEARD_MS;
      if (!isUp || !peer.greeting.hears || isUnheard) this.tell(peer, message);
    }
  }

  /** Sends a message over the link to a peer, without this server's link key, which is sent over the bus only. */
  tell(peer: Peer, message: object): void {
    peer.link?.tell(TOPIC, JSON.stringify({ ...message, link_key: undefined }));
  }

  close(): void {
    this.#leave();
  }

  #receive(message: Gossip | Unread, linkTo?: string): void {
    if (message.t === "unknown" || message.t === "malformed") {
      this.ignored[message.t] += 1;
      return;
    }
    // A message on a link may only come from the peer at its other end.
    if (linkTo === undefined || message.from === linkTo) this.#options.onMessage(message, linkTo === undefined);
  }
}
