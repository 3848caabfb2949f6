import { Fault } from "../../errors.ts";
import type { Restrictions } from "../../plugin/restrictions.ts";
import type { Clock } from "../../system/deps.ts";
import { setNewest } from "../../system/newest.ts";
import type { Session } from "../../tunnel/session.ts";
import type { SessionPool } from "../../tunnel/session-source.ts";
import { CLOSES } from "../../wire/closes.ts";
import { FunctionCounts } from "./function-counts.ts";
import { HeldSessions } from "./held-sessions.ts";
import { RelayWaits } from "./relay-waits.ts";
import type { RemoteRelay, RemoteRelays } from "./remote-relays.ts";

/** A call or stream that runs. */
export interface RunningCall {
  readonly requestId: string;
  /** The label of `RpcFacts`. */
  readonly method: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** A connected relay, with the counts of its calls. */
export interface Relay {
  readonly session: Session;
  /** Running calls that end by themselves. */
  calls: number;
  /** Open answers that end only when a side leaves. They have a limit of their own, apart from the calls'. */
  streams: number;
  /** The running calls and streams. */
  readonly running: Set<RunningCall>;
  served: number;
  failed: number;
  /** Whether an operator keeps new calls from it, until that is undone. */
  isDrained: boolean;
  /** Error code of the last call that failed; undefined before the first. */
  lastError: string | undefined;
  /** When that was, in milliseconds since 1970. */
  lastErrorAt: number | undefined;
  /** Calls that have failed since the last one that did not. */
  failuresInARow: number;
  /** The MCP sessions that clients hold with its MCP server. */
  readonly held: HeldSessions;
  readonly functions: FunctionCounts;
  /** Requests ended, by the label of `RpcFacts`. */
  readonly methods: Map<string, number>;
}

/** Where a call's relay is: connected to this server, or to another one. */
export type FoundRelay =
  | { readonly kind: "here"; readonly relay: Relay }
  | ({ readonly kind: "elsewhere" } & RemoteRelay);

/** One request's search for its relay. */
export interface RelaySearch {
  readonly id: string;
  /** Ends the search. */
  readonly signal: AbortSignal;
  /** `Clock.elapsed` until which it waits for a relay that has just left. */
  readonly until: number;
  /** The server that was known to have the relay, but did not have it when it was asked. */
  readonly missedAt?: string | undefined;
}

/** A relay that left less than this ago is likely to come back: it restarts, or its connection broke. */
const JUST_LEFT_MS = 30_000;
/** Relays remembered after they left. The oldest are forgotten first. */
const MAX_LEFT = 10_000;

export interface RelaysOptions {
  readonly clock: Clock;
  /** How long a request waits for a relay that has just left. */
  readonly rejoinMs: number;
  /** How long after the server's start a request waits for any relay, which may be on its way back. */
  readonly startGraceMs: number;
  readonly restrictions: Pick<Restrictions, "isDrained" | "isBlocked">;
  readonly onChange: () => void;
  /** The relays of other servers; undefined for a server without a cluster. */
  readonly remotes?: RemoteRelays | undefined;
}

/** The relays by their ids: the connected ones, those that have just left, and the requests that wait for one. */
export class Relays implements SessionPool {
  readonly #options: RelaysOptions;
  readonly #connected = new Map<string, Relay>();
  /** When each relay left (`Clock.elapsed`), in that order. */
  readonly #left = new Map<string, number>();
  readonly #waits: RelayWaits;
  readonly #startedAt: number;
  #isOver = false;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#startedAt = options.clock.elapsed();
    this.#waits = new RelayWaits(options.clock);
    options.remotes?.onChange((id) => (id === undefined ? this.#waits.wakeAll() : this.#waits.wake(id)));
  }

  all(): IterableIterator<Relay> {
    return this.#connected.values();
  }

  get size(): number {
    return this.#connected.size;
  }

  onOpened(session: Session): void {
    const { id } = session.worker;
    const relay: Relay = {
      session,
      calls: 0,
      streams: 0,
      running: new Set(),
      served: 0,
      failed: 0,
      isDrained: this.#options.restrictions.isDrained(id),
      lastError: undefined,
      lastErrorAt: undefined,
      failuresInARow: 0,
      held: new HeldSessions(this.#options.clock),
      functions: new FunctionCounts(),
      methods: new Map(),
    };
    const before = this.#connected.get(id);
    this.#connected.set(id, relay);
    this.#left.delete(id);
    before?.session.close(CLOSES.replaced);
    this.#waits.wake(id);
    this.#options.onChange();
  }

  /** Removes a relay that announces its leaving: it takes no new calls, and is likely to come back. */
  onOfferChange(session: Session): void {
    if (session.offer.status === "draining") this.#remove(session);
    // Whether its MCP server works.
    else this.#options.onChange();
  }

  onClosed(session: Session): void {
    this.#remove(session);
  }

  /** Returns when a search that begins now ends. */
  searchEnd(): number {
    return this.#options.clock.elapsed() + this.#options.rejoinMs;
  }

  /**
   * Finds a relay on this server or another one, and waits for one that has just left. Rejects with `relay_unavailable`,
   * also when the search's signal is aborted while it waits.
   */
  async find(search: RelaySearch): Promise<FoundRelay> {
    const { id } = search;
    if (this.#options.restrictions.isBlocked(id))
      throw new Fault("relay_unavailable", { message: "An operator has blocked this relay.", retryAfterS: 30 });
    const found = this.#at(id, search.missedAt) ?? (await this.#waitFor(search));
    if (!found) throw new Fault("relay_unavailable", { retryAfterS: 5 });
    if (found.kind === "here" ? found.relay.isDrained : this.#options.restrictions.isDrained(id)) {
      throw new Fault("relay_unavailable", {
        message: "An operator keeps new calls from this relay for now.",
        retryAfterS: 30,
      });
    }
    return found;
  }

  /** Returns the connected relay of this id; undefined if it is not on this server. */
  own(id: string): Relay | undefined {
    return this.#connected.get(id);
  }

  /** Returns the relay of this id on another server that can be reached; undefined if there is none. */
  remote(id: string): RemoteRelay | undefined {
    return this.#options.remotes?.find(id);
  }

  /** Whether a connector relay is connected to another server. */
  get hasRemoteConnector(): boolean {
    return this.#options.remotes?.hasConnector === true;
  }

  sessionOf(id: string): Session | undefined {
    return this.#connected.get(id)?.session;
  }

  /** Keeps new calls from a relay, or lets them in again. Does nothing for one that is not connected. */
  setDrained(id: string, isDrained: boolean): void {
    const relay = this.#connected.get(id);
    if (!relay) return;
    relay.isDrained = isDrained;
    this.#options.onChange();
  }

  /** Ends every wait, now and later: no relay can come back to this server. */
  giveUpWaiting(): void {
    this.#isOver = true;
    this.#waits.wakeAll();
  }

  #at(id: string, missedAt: string | undefined): FoundRelay | undefined {
    const relay = this.#connected.get(id);
    if (relay) return { kind: "here", relay };
    const remote = this.#options.remotes?.find(id);
    return remote === undefined || remote.server === missedAt ? undefined : { kind: "elsewhere", ...remote };
  }

  #remove(session: Session): void {
    const { id } = session.worker;
    // The late close of a relay that was replaced must not remove its successor.
    if (this.#connected.get(id)?.session !== session) return;
    this.#connected.delete(id);
    setNewest(this.#left, id, this.#options.clock.elapsed(), MAX_LEFT);
    this.#options.onChange();
  }

  async #waitFor({ id, signal, until, missedAt }: RelaySearch): Promise<FoundRelay | undefined> {
    const { clock } = this.#options;
    if (missedAt === undefined && !this.#isLikelyBack(id)) return undefined;
    for (let left = until - clock.elapsed(); left > 0; left = until - clock.elapsed()) {
      if (this.#isOver || signal.aborted || this.#waits.isFull) return undefined;
      await this.#waits.wait(id, left, signal);
      // The server that did not have it may have it again by now.
      const found = this.#at(id, undefined);
      if (found) return found;
    }
    return undefined;
  }

  /** Whether a relay that is missing has just left, or may not have connected yet since this server started. */
  #isLikelyBack(id: string): boolean {
    const { clock, startGraceMs, remotes } = this.#options;
    const now = clock.elapsed();
    const leftAt = this.#left.get(id);
    const hasJustLeft = leftAt !== undefined && now - leftAt <= JUST_LEFT_MS;
    const hasJustLeftOthers = (remotes?.leftAgoMs(id) ?? Number.POSITIVE_INFINITY) <= JUST_LEFT_MS;
    return hasJustLeft || hasJustLeftOthers || now - this.#startedAt < startGraceMs;
  }
}
