import type { Deps } from "../../system/deps.ts";
import { RepeatedLines } from "../../system/repeated-lines.ts";
import { onServer } from "../../system/server-id.ts";
import { Heartbeat } from "../../tunnel/heartbeat.ts";
import type { PeerHandler } from "../../tunnel/peer-handler.ts";
import { closeWith } from "../../wire/closes.ts";
import { HTTP_KIND } from "../../wire/names.ts";
import type { TellLine } from "../tells.ts";
import { SPOKEN } from "../versions.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { Connection } from "./connection.ts";
import type { LaneHub } from "./lane-hub.ts";
import type { Link, PeerLinks } from "./link.ts";
import {
  createLinkKey,
  createNonce,
  type Dial,
  DialGuard,
  isProof,
  type LinkContact,
  proofOf,
  type ServerRun,
  signDial,
} from "./link-auth.ts";
import type { LinkHello } from "./link-hello.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerHandlers } from "./peer-server.ts";
import type { LinkListener, LinkTransport, ListenAddress } from "./transport.ts";

export interface LinksOptions {
  /** This run of this server. */
  readonly self: ServerRun;
  readonly deps: Deps;
  readonly transport: LinkTransport;
  /** Lanes over the bus, for peers that cannot be dialled; none unless given. */
  readonly lanes?: LaneHub | undefined;
  /** Body bytes that this server holds of an exchange in each direction. */
  readonly windowBytes: number;
  /** How long a slot is held for a peer that does not confirm a cancel. */
  readonly confirmTimeoutMs: number;
  /** Returns a number from 0 to 1. */
  readonly random: () => number;
}

/** The interval of pings in milliseconds. A peer that stays silent for three is cut off. */
const PING_MS = 500;
/** The same on a lane, which has to outlast a restart of the broker. */
const LANE_PING_MS = 5000;
/** How long a connection may take until the peer has introduced itself. */
const GREETING_MS = 3000;
/** The topic of the messages of `line`. */
const TELL_TOPIC = "tell";

/** The links of this server to all of its peers: one to each, over a socket or, if there can be none, over the bus. */
export class Links implements PeerLinks {
  /** Small messages to peers, as one stream for each. */
  readonly line: TellLine;
  readonly #options: LinksOptions;
  readonly #linkKey = createLinkKey();
  readonly #guard: DialGuard;
  readonly #peers = new Map<string, PeerLink>();
  readonly #handlers = new Map<string, PeerHandler>();
  readonly #kinds = new Set<string>();
  readonly #tellHandlers = new Map<string, (peerId: string, text: string) => void>();
  readonly #changeListeners: ((link: Link) => void)[] = [];
  readonly #joinedListeners: ((peerId: string) => void)[] = [];
  readonly #lostListeners: ((peerId: string) => void)[] = [];
  readonly #heartbeat: Heartbeat;
  readonly #laneHeartbeat: Heartbeat;
  readonly #refusals: RepeatedLines;
  readonly #served: PeerHandlers;
  #listener: LinkListener | undefined;
  #lastDialTime = 0;
  #isClosed = false;

  constructor(options: LinksOptions) {
    this.#options = options;
    const { self, deps, lanes } = options;
    this.#guard = new DialGuard(self, this.#linkKey);
    this.#heartbeat = new Heartbeat(deps.clock, PING_MS);
    this.#laneHeartbeat = new Heartbeat(deps.clock, LANE_PING_MS);
    this.#refusals = new RepeatedLines({
      clock: deps.clock,
      write: (fields) => deps.log.warn("link.refused", fields),
    });
    const kinds = this.#kinds;
    this.#served = {
      find: (kind, plugin) => this.#handlers.get(handlerKey(kind, plugin)) ?? this.#handlers.get(kind),
      get kinds() {
        return [...kinds];
      },
    };
    this.line = this.#createLine();
    lanes?.onOpened((from, channel) => this.#acceptLane(from, channel));
  }

  /**
   * Accepts links of peers. Returns what peers must know, with the address that `told` returns for the port. Throws if the
   * address cannot be used. Called once.
   */
  listen(where: ListenAddress, told: (port: number) => string): LinkContact {
    const { self, transport } = this.#options;
    this.#listener = transport.listen(where, (header, address) => this.#accept(header, address));
    return { ...runOf(self), address: told(this.#listener.port), linkKey: this.#linkKey };
  }

  /** Serves exchanges of a kind that peers open here; of kind `http`, those for one plugin. */
  serve(kind: string, handler: PeerHandler, plugin?: string): void {
    const key = kind === HTTP_KIND ? handlerKey(kind, plugin) : kind;
    if (this.#handlers.has(key)) throw new Error(`two handlers for ${key}`);
    this.#handlers.set(key, handler);
    this.#kinds.add(kind);
  }

  /** Takes in what a peer's beat says about its links. May be called with every beat. */
  heard(contact: LinkContact): void {
    if (!this.#isClosed && contact.id !== this.#options.self.id) this.#peer(contact.id).heard(contact);
  }

  /** Ends the link to a peer that has left. */
  forget(peerId: string, reason: string): void {
    const peer = this.#peers.get(peerId);
    this.#peers.delete(peerId);
    peer?.close(reason);
  }

  linkTo(peerId: string): PeerLink | undefined {
    return this.#peers.get(peerId);
  }

  onTell(topic: string, handler: (peerId: string, text: string) => void): void {
    if (this.#tellHandlers.has(topic)) throw new Error(`two handlers for ${topic}`);
    this.#tellHandlers.set(topic, handler);
  }

  onChange(listener: (link: Link) => void): void {
    this.#changeListeners.push(listener);
  }

  /** Ends all links, and accepts no more. */
  close(reason: string): void {
    this.#isClosed = true;
    for (const peerId of [...this.#peers.keys()]) this.forget(peerId, reason);
    this.#heartbeat.stop();
    this.#laneHeartbeat.stop();
    this.#listener?.close();
  }

  #peer(id: string): PeerLink {
    const known = this.#peers.get(id);
    if (known) return known;
    const { self, deps, random, lanes } = this.#options;
    const peer: PeerLink = new PeerLink({
      selfId: self.id,
      peerId: id,
      clock: deps.clock,
      log: deps.log.with({ peer: id }),
      random,
      dial: (contact, outcome) => this.#dial(peer, contact, outcome),
      openLane: lanes && ((contact) => this.#openLane(contact)),
      onChange: () => {
        for (const listener of this.#changeListeners) listener(peer);
      },
      onJoined: () => {
        for (const listener of this.#joinedListeners) listener(id);
      },
      onLost: () => {
        for (const listener of this.#lostListeners) listener(id);
      },
    });
    this.#peers.set(id, peer);
    return peer;
  }

  #dial(peer: PeerLink, { id, epoch, address, linkKey }: LinkContact, onFailed: (reason: string) => void): () => void {
    const { self, deps, transport } = this.#options;
    // A clock that is set back must not make a dial look like a replay.
    this.#lastDialTime = Math.max(this.#lastDialTime + 1, deps.clock.now());
    const dial: Dial = { from: runOf(self), to: { id, epoch }, time: this.#lastDialTime, nonce: createNonce() };
    return transport.dial(address ?? "", signDial(dial, linkKey), {
      onFailed,
      onOpen: (channel) =>
        this.#connect(peer, channel, {
          hasDialled: true,
          epoch,
          check: (hello) =>
            isProof(hello.proof, dial, linkKey) ? undefined : "the server at this address could not prove who it is",
          onFailed,
        }),
    });
  }

  #accept(header: string | null, address: string | undefined): ((channel: Channel) => ChannelEvents) | undefined {
    const dial = this.#guard.accept(header);
    if (typeof dial === "string" || this.#isClosed) {
      const reason = typeof dial === "string" ? dial : "closing";
      this.#refusals.note(`${address} ${reason}`, { reason, address }, { reason, address: "others" });
      return undefined;
    }
    const { id, epoch } = dial.from;
    return (channel) =>
      this.#connect(this.#peer(id), channel, {
        hasDialled: false,
        epoch,
        proof: proofOf(dial, this.#linkKey),
      });
  }

  #openLane({ id, epoch }: LinkContact): void {
    this.#options.lanes?.open({ id, epoch }, (channel) => {
      // The link that asked may have ended meanwhile, and another one may wait for the lane.
      const peer = this.#peers.get(id);
      return peer && this.#connect(peer, channel, { hasDialled: true, epoch });
    });
  }

  #acceptLane({ id, epoch }: ServerRun, channel: Channel): ChannelEvents | undefined {
    if (this.#isClosed || id === this.#options.self.id) return undefined;
    return this.#connect(this.#peer(id), channel, { hasDialled: false, epoch });
  }

  #connect(peer: PeerLink, channel: Channel, { hasDialled, epoch, proof, check, onFailed }: Meeting): ChannelEvents {
    const { self, deps, windowBytes, confirmTimeoutMs } = this.#options;
    const { clock, ids } = deps;
    let stopBeating = (): void => {};
    const cancelGreeting = clock.after(GREETING_MS, () => connection.close(NO_HELLO));
    const connection: Connection = new Connection({
      peerId: peer.peerId,
      hasDialled,
      sessionId: onServer(peer.peerId, ids.secret()),
      hello: { epoch: self.epoch, link: SPOKEN.link, window: windowBytes, kinds: this.#served.kinds, proof },
      check: (hello) => (hello.epoch === epoch ? check?.(hello) : "the server has been restarted meanwhile"),
      handlers: this.#served,
      traffic: peer.traffic,
      windowBytes,
      confirmTimeoutMs,
      clock,
      onTell: (topic, text) => this.#tellHandlers.get(topic)?.(peer.peerId, text),
      onUp: () => {
        cancelGreeting();
        stopBeating = (channel.kind === "lane" ? this.#laneHeartbeat : this.#heartbeat).add(connection);
        peer.onUp(connection);
      },
      onClosed: (reason) => {
        cancelGreeting();
        stopBeating();
        if (connection.peer) peer.onClosed(connection, reason);
        else onFailed?.(reason);
      },
    });
    connection.start(channel);
    return connection;
  }

  #createLine(): TellLine {
    const peers = this.#peers;
    return {
      *peers() {
        for (const peer of peers.values()) if (peer.session) yield peer.peerId;
      },
      rttMs: (peerId) => peers.get(peerId)?.rttMs,
      tell: (peerId, text) => peers.get(peerId)?.tell(TELL_TOPIC, text) ?? false,
      onTell: (listener) => this.onTell(TELL_TOPIC, listener),
      onJoined: (listener) => void this.#joinedListeners.push(listener),
      onLost: (listener) => void this.#lostListeners.push(listener),
    };
  }
}

const NO_HELLO = closeWith("protocol_error", "the peer has not introduced itself");

/** How a connection to a peer begins. */
interface Meeting {
  readonly hasDialled: boolean;
  /** The run of the peer that is expected. */
  readonly epoch: string;
  /** The proof for a peer that has dialled this server. */
  readonly proof?: LinkHello["proof"];
  readonly check?: (hello: LinkHello) => string | undefined;
  /** Called if the connection ends before the peer has introduced itself. */
  readonly onFailed?: (reason: string) => void;
}

function runOf({ id, epoch }: ServerRun): ServerRun {
  return { id, epoch };
}

function handlerKey(kind: string, plugin: string | undefined): string {
  return `${kind} ${plugin}`;
}
