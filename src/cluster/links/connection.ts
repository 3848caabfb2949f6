import type { Clock } from "../../system/deps.ts";
import { silentLog } from "../../system/log.ts";
import { ExchangeIds } from "../../tunnel/exchange-ids.ts";
import type { Beating } from "../../tunnel/heartbeat.ts";
import type { Offer } from "../../tunnel/session.ts";
import { UNBOUNDED } from "../../tunnel/session.ts";
import { WorkerSession } from "../../tunnel/worker-session.ts";
import { CLOSES, type Close } from "../../wire/closes.ts";
import type { BadFrame } from "../../wire/frame.ts";
import { decodeLinkFrame, encodePing, encodePong, encodeTell, type LinkFrame } from "../../wire/link-frame.ts";
import { commonVersion } from "../versions.ts";
import { Batch, eachFrame } from "./batch.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { createLinkDialect } from "./link-dialect.ts";
import { HELLO_TOPIC, type LinkHello, parseLinkHello } from "./link-hello.ts";
import { type PeerHandlers, PeerServer } from "./peer-server.ts";

/** Bytes over a link, whichever connection carries them. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

export interface ConnectionOptions {
  readonly peerId: string;
  /** Whether this server has dialled: its exchanges then have odd ids, and the peer's have even ones. */
  readonly hasDialled: boolean;
  /** The id of the session that stands for the peer. */
  readonly sessionId: string;
  /** The first message of this server. */
  readonly hello: LinkHello;
  /** Checks the peer's first message. Returns why the link must end; undefined if all is well. */
  readonly check: (hello: LinkHello) => string | undefined;
  readonly handlers: PeerHandlers;
  /** Counts to which the connection adds. */
  readonly traffic: Traffic;
  /** Body bytes that this server holds of an exchange in each direction. */
  readonly windowBytes: number;
  /** How long a slot is held for a peer that does not confirm a cancel. */
  readonly confirmTimeoutMs: number;
  readonly clock: Clock;
  readonly onTell: (topic: string, text: string) => void;
  /** Called once, when the peer has introduced itself and exchanges can be opened. */
  readonly onUp: (hello: LinkHello) => void;
  /** Called once, when the connection has ended for any reason. */
  readonly onClosed: (reason: string) => void;
}

/** The longest text of a small message. A longer one would hold up the frames behind it. */
const MAX_TELL_CHARS = 256 * 1024;

/** One socket or lane to a peer, from its opening to its end: the exchanges of both ends, messages, and the peer's signs of life. */
export class Connection implements Beating, ChannelEvents {
  readonly peerId: string;
  readonly hasDialled: boolean;
  readonly #options: ConnectionOptions;
  readonly #batch: Batch;
  #channel: Channel | undefined;
  #session: WorkerSession | undefined;
  #server: PeerServer | undefined;
  #peer: LinkHello | undefined;
  #isCongested = false;
  #isClosed = false;
  #pingNumber = 0;
  #pingedAt = 0;
  #rttMs: number | undefined;
  /** `Clock.elapsed` of the last message. */
  lastHeardAt: number;
  readonly #take = (frame: Uint8Array): boolean => {
    this.#handle(decodeLinkFrame(frame));
    return !this.#isClosed;
  };

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.peerId = options.peerId;
    this.hasDialled = options.hasDialled;
    this.lastHeardAt = options.clock.elapsed();
    this.#batch = new Batch((message) => this.#sendMessage(message));
  }

  /** Begins to use the channel. Called once. The server that was dialled speaks first. */
  start(channel: Channel): void {
    this.#channel = channel;
    this.lastHeardAt = this.#options.clock.elapsed();
    if (!this.hasDialled) this.#sayHello();
  }

  get kind(): Channel["kind"] {
    return this.#channel?.kind ?? "direct";
  }

  /** The peer as a session; undefined before the peer has introduced itself. */
  get session(): WorkerSession | undefined {
    return this.#session;
  }

  /** The peer's first message; undefined before it. */
  get peer(): LinkHello | undefined {
    return this.#peer;
  }

  get isUp(): boolean {
    return this.#peer !== undefined && !this.#isClosed;
  }

  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Whether no exchange runs, in either direction. */
  get isIdle(): boolean {
    return (this.#server?.running ?? 0) === 0 && (this.#session?.running ?? 0) === 0;
  }

  tell(topic: string, text: string): boolean {
    if (!this.isUp || this.#isCongested || text.length > MAX_TELL_CHARS) return false;
    this.#batch.frame(encodeTell(topic, text));
    return true;
  }

  ping(): void {
    if (!this.isUp) return;
    this.#pingNumber = (this.#pingNumber + 1) >>> 0;
    this.#pingedAt = this.#options.clock.elapsed();
    this.#batch.frame(encodePing(this.#pingNumber));
    // The round trip must not include a wait for the end of the turn.
    this.#batch.flush();
  }

  close({ code, reason }: Close): void {
    if (this.#isClosed) return;
    this.#batch.flush();
    if (code !== CLOSES.no_sign_of_life.code) {
      this.#channel?.close(reason);
      return this.#end(reason);
    }
    // The cut reports an end of its own, whose reason says less.
    this.#end(reason);
    this.#channel?.cut();
  }

  onMessage(message: Uint8Array): void {
    if (this.#isClosed) return;
    this.#options.traffic.bytesIn += message.length;
    this.lastHeardAt = this.#options.clock.elapsed();
    if (this.#session) this.#session.lastHeardAt = this.lastHeardAt;
    if (!eachFrame(message, this.#take)) this.#reject("a message that ends inside a frame");
  }

  onDrain(): void {
    if (!this.#isCongested) return;
    this.#isCongested = false;
    this.#session?.handleDrain();
  }

  onClosed(reason: string): void {
    this.#end(reason);
  }

  #sendMessage(message: Uint8Array): void {
    this.#options.traffic.bytesOut += message.length;
    const result = this.#channel?.send(message);
    if (result === undefined || result === "sent") return;
    if (result === "lost") {
      // Closes in a microtask, because the sender may be in the middle of its own bookkeeping.
      queueMicrotask(() => this.close(CLOSES.send_failed));
    } else {
      this.#isCongested = true;
      this.#session?.handleSendResult("queued");
    }
  }

  #sayHello(): void {
    this.#batch.frame(encodeTell(HELLO_TOPIC, JSON.stringify(this.#options.hello)));
    this.#batch.flush();
  }

  #handle(frame: LinkFrame | BadFrame): void {
    const [session, server] = [this.#session, this.#server];
    if (frame.type === "bad") return this.#reject(frame.reason);
    if (!session || !server) {
      if (frame.type === "tell" && frame.topic === HELLO_TOPIC) return this.#meet(frame.text);
      return this.#reject("a frame before the first message");
    }
    switch (frame.type) {
      case "response_data":
      case "response":
        return session.receive(frame);
      case "request":
      case "request_data":
        return this.#serve(server.handle(frame));
      case "credit":
      case "reset":
        if (frame.id % 2 === (this.hasDialled ? 1 : 0)) session.receive(frame);
        else this.#serve(server.handle(frame));
        return;
      case "tell":
        return this.#options.onTell(frame.topic, frame.text);
      case "ping":
        this.#batch.frame(encodePong(frame.number));
        return this.#batch.flush();
      case "pong":
        return this.#measure(frame.number);
      case "unknown":
        return;
      default:
        return frame satisfies never;
    }
  }

  #serve(violation: string | undefined): void {
    if (violation !== undefined) this.#reject(violation);
  }

  #measure(number: number): void {
    if (number !== this.#pingNumber) return;
    const ms = this.#options.clock.elapsed() - this.#pingedAt;
    this.#rttMs = this.#rttMs === undefined ? ms : this.#rttMs + (ms - this.#rttMs) / 4;
  }

  #meet(text: string): void {
    const { hello, check, peerId, handlers, windowBytes, onUp } = this.#options;
    const peer = parseLinkHello(text);
    const wrong = peer === undefined ? "a first message that cannot be read" : check(peer);
    if (peer === undefined || wrong !== undefined) return this.#reject(wrong ?? "");
    if (commonVersion(hello.link, peer.link) === undefined)
      return this.#reject(`the servers have no version of the link in common: ${hello.link} here, ${peer.link} there`);
    this.#peer = peer;
    this.#session = this.#createSession(peer);
    this.#server = new PeerServer({
      peerId,
      parity: this.hasDialled ? 0 : 1,
      batch: this.#batch,
      handlers,
      windowBytes,
      peerWindowBytes: peer.window,
    });
    // The dialled server has proved who it is, so this server introduces itself now.
    if (this.hasDialled) this.#sayHello();
    onUp(peer);
    this.ping();
  }

  #createSession({ kinds }: LinkHello): WorkerSession {
    const { peerId, sessionId, windowBytes, confirmTimeoutMs, clock } = this.#options;
    const offer: Offer = {
      models: [],
      maxConcurrency: UNBOUNDED,
      embeddingBatchSize: undefined,
      exchangeKinds: kinds,
      status: "ready",
      reason: undefined,
    };
    return new WorkerSession({
      id: sessionId,
      worker: { id: peerId, name: peerId, version: undefined, hostInfo: {} },
      offer,
      dialect: createLinkDialect(this.#batch, windowBytes),
      socket: {
        // The dialect's lanes write into the batch themselves.
        send: () => {},
        sendNow: () => {},
        ping: () => this.ping(),
        close: (code, reason) => this.close({ code, reason }),
      },
      host: { onOfferChange: () => {}, onClosed: () => {} },
      clock,
      // The link writes its own log lines.
      log: silentLog,
      confirmTimeoutMs,
      ids: new ExchangeIds(this.hasDialled ? 1 : 2, 2),
    });
  }

  /** Ends the connection because the peer broke the protocol. */
  #reject(reason: string): void {
    this.close({ code: CLOSES.protocol_error.code, reason });
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#batch.close();
    this.#options.onClosed(reason);
    this.#server?.handleLost();
    this.#session?.handleClosed(reason);
  }
}
