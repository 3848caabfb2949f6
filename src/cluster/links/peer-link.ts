import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { Session } from "../../tunnel/session.ts";
import { CLOSES } from "../../wire/closes.ts";
import type { Connection, Traffic } from "./connection.ts";
import type { Link, LinkState } from "./link.ts";
import type { LinkContact } from "./link-auth.ts";

export interface PeerLinkOptions {
  readonly selfId: string;
  readonly peerId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /**
   * Dials the peer. Success reaches `PeerLink.onUp`; `onFailed` is called once otherwise. The returned function gives up a
   * dial that has not opened a socket.
   */
  readonly dial: (contact: LinkContact, onFailed: (reason: string) => void) => CancelTimer;
  /** Begins a lane over the bus; undefined if there are none. */
  readonly openLane: ((contact: LinkContact) => void) | undefined;
  /** Called after each change of the link's state or session. */
  readonly onChange: () => void;
  /** Called when the link is established. */
  readonly onJoined: () => void;
  /** Called when the link is lost. */
  readonly onLost: () => void;
}

/**
 * How much later the server with the larger id dials. Both servers dial, because the network may allow only one direction.
 * Usually the other server has connected by then, and there is one socket instead of two.
 */
const SECOND_MS = 300;
/** The pauses between dials, by the number of failures. The last one applies to all further failures. Each varies by half. */
const PAUSES_MS = [100, 250, 500, 1000, 2000, 5000] as const;
/** Failed dials after which a peer counts as unreachable. */
const UNREACHABLE_AFTER = 2;
/** Failed dials after which the server with the larger id begins a lane, in case the other one does not. */
const SECOND_LANE_AFTER = 4;
/**
 * The longest time for a dial, including the peer's first message. An address that does not answer would take much longer.
 */
const DIAL_MS = 3500;
/** How long a connection must last so that its end does not count as a failure. */
const LASTING_MS = 5000;
/** How often a replaced connection is checked. It is closed after it was idle at two checks. */
const RETIRE_MS = 1000;

/** The link to one peer over its life: dials, chooses between connections, and dials again. */
export class PeerLink implements Link {
  readonly peerId: string;
  /** Bytes over this link since the server started, also over connections that have ended. */
  readonly traffic: Traffic = { bytesIn: 0, bytesOut: 0 };
  readonly #options: PeerLinkOptions;
  /** Whether the peer's dials are preferred to those of this server. */
  readonly #isSecond: boolean;
  #contact: LinkContact | undefined;
  #current: Connection | undefined;
  /** Connections that were replaced and finish what runs on them. */
  readonly #retiring = new Map<Connection, CancelTimer>();
  /** Cancels the present dial and ignores its outcome. */
  #cancelDial: CancelTimer | undefined;
  #cancelPause: CancelTimer | undefined;
  /** The number of consecutive failures: failed dials, and connections that ended soon. */
  #failures = 0;
  /** `Clock.elapsed` at which the current connection was ready. */
  #upAt = 0;
  #dialled: string | undefined;
  #dialError: string | undefined;
  #isClosed = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.peerId = options.peerId;
    this.#isSecond = options.peerId < options.selfId;
  }

  get state(): LinkState {
    if (this.#current) return this.#current.kind;
    return this.#failures < UNREACHABLE_AFTER ? "connecting" : "unreachable";
  }

  get session(): Session | undefined {
    return this.#current?.session;
  }

  get rttMs(): number | undefined {
    return this.#current?.rttMs;
  }

  get dialled(): string | undefined {
    return this.#dialled;
  }

  get dialError(): string | undefined {
    return this.#dialError;
  }

  tell(topic: string, text: string): boolean {
    return this.#current?.tell(topic, text) ?? false;
  }

  /** Takes in where the peer can be dialled now. */
  heard(contact: LinkContact): void {
    const before = this.#contact;
    if (before?.epoch === contact.epoch && before.address === contact.address && before.linkKey === contact.linkKey)
      return;
    this.#contact = contact;
    this.#failures = 0;
    this.#stopDialling();
    this.#plan(this.#isSecond ? SECOND_MS : 0);
  }

  /** Takes over a connection that is ready for exchanges. */
  onUp(connection: Connection): void {
    const before = this.#current;
    if (this.#isClosed) return connection.close(CLOSES.server_restart);
    // The end of the earlier connection may not have been noticed, and what was told over it since then is lost.
    const wasDead = before !== undefined && isDead(before, connection);
    if (connection.kind === "direct") {
      this.#dialError = undefined;
      this.#stopDialling();
    }
    if (before && this.#prefers(before, connection)) return connection.close(SUPERFLUOUS);
    this.#current = connection;
    this.#upAt = this.#options.clock.elapsed();
    if (connection.kind === "lane") this.#plan(this.#pauseMs());
    if (before) this.#retire(before, connection);
    this.#options.log.info("link.opened", { way: connection.kind, dialled: connection.hasDialled });
    if (wasDead) this.#options.onLost();
    if (!before || wasDead) this.#options.onJoined();
    this.#options.onChange();
  }

  /** Handles the end of a connection that was ready. */
  onClosed(connection: Connection, reason: string): void {
    this.#retiring.get(connection)?.();
    this.#retiring.delete(connection);
    if (this.#current !== connection) return;
    this.#current = undefined;
    // A short-lived connection would end again soon. Dialling at once would repeat that without a pause.
    const hasLasted = this.#options.clock.elapsed() - this.#upAt >= LASTING_MS;
    this.#failures = hasLasted ? 0 : this.#failures + 1;
    const isExpected = this.#isClosed || reason === SERVER_STOPS;
    this.#options.log[isExpected ? "info" : "warn"]("link.closed", { way: connection.kind, reason });
    this.#options.onLost();
    this.#options.onChange();
    if (!this.#cancelDial) this.#plan(this.#pauseMs());
  }

  /** Ends the link for good. */
  close(reason: string): void {
    this.#isClosed = true;
    this.#stopDialling();
    const close = { code: CLOSES.goodbye.code, reason };
    for (const connection of [...this.#retiring.keys()]) connection.close(close);
    this.#current?.close(close);
  }

  /** Whether the present connection is kept although there is a new one. */
  #prefers(before: Connection, next: Connection): boolean {
    if (before.peer?.epoch !== next.peer?.epoch) return false;
    if (before.kind !== next.kind) return before.kind === "direct";
    // A peer that dials again has lost its connection, even if that has not been noticed here.
    if (before.hasDialled === next.hasDialled) return false;
    return before.hasDialled !== this.#isSecond;
  }

  /** Lets a replaced connection finish its exchanges, unless it must be dead. */
  #retire(before: Connection, by: Connection): void {
    if (isDead(before, by)) return before.close(REPLACED);
    let wasIdle = false;
    const stop = this.#options.clock.every(RETIRE_MS, () => {
      // The peer may have opened an exchange before it knew of the new connection.
      if (before.isIdle && wasIdle) before.close(REPLACED);
      wasIdle = before.isIdle;
    });
    this.#retiring.set(before, stop);
  }

  #plan(ms: number): void {
    if (this.#isClosed || this.#cancelDial) return;
    this.#cancelPause?.();
    this.#cancelPause = this.#options.clock.after(ms, () => {
      this.#cancelPause = undefined;
      this.#dial();
    });
  }

  #dial(): void {
    const contact = this.#contact;
    const current = this.#current;
    if (!contact || (current?.kind === "direct" && current.peer?.epoch === contact.epoch)) return;
    if (contact.address === undefined) return this.#fail("it has announced no address");
    this.#dialled = contact.address;
    let isOver = false;
    const fail = (reason: string): void => {
      if (isOver) return;
      isOver = true;
      cancelDeadline();
      this.#cancelDial = undefined;
      this.#fail(reason);
    };
    const cancelDeadline = this.#options.clock.after(DIAL_MS, () => {
      cancel();
      fail("it has not answered in time");
    });
    const cancel = this.#options.dial(contact, fail);
    this.#cancelDial = () => {
      isOver = true;
      cancelDeadline();
      cancel();
    };
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#failures += 1;
    this.#dialError = reason;
    const isNews = this.#failures === UNREACHABLE_AFTER && !this.#current;
    if (isNews) this.#options.log.warn("link.unreachable", { address: this.#dialled, reason });
    if (!this.#current && this.#failures >= (this.#isSecond ? SECOND_LANE_AFTER : UNREACHABLE_AFTER) && this.#contact)
      this.#options.openLane?.(this.#contact);
    this.#plan(this.#pauseMs());
    if (isNews) this.#options.onChange();
  }

  #pauseMs(): number {
    const ms = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0;
    const second = this.#isSecond && this.#failures === 0 ? SECOND_MS : 0;
    return second + ms * (0.5 + this.#options.random());
  }

  #stopDialling(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#cancelDial?.();
    this.#cancelDial = undefined;
  }
}

/** Whether a connection must be dead because there is another one: of a new run, or of a peer that has lost the first one. */
function isDead(before: Connection, by: Connection): boolean {
  if (before.peer?.epoch !== by.peer?.epoch) return true;
  return before.kind === by.kind && before.hasDialled === by.hasDialled;
}

/** The reason that a server gives when it closes its links in order to end. */
export const SERVER_STOPS = "the server stops";

const SUPERFLUOUS = { code: CLOSES.goodbye.code, reason: "another link to this server is in use" };
const REPLACED = { code: CLOSES.goodbye.code, reason: "another link has replaced this one" };
