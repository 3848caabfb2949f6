import type { Calls } from "../../plugin/cluster.ts";
import type { FollowedPeer, OwnState, PeerStates, PeerText } from "../../state/cluster-facts.ts";
import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { Bus, Unsubscribe } from "../bus.ts";
import type { Subjects } from "../subjects.ts";
import { OwnStateWriter, STATE_QUESTION } from "./own-state.ts";
import { StateAssembly } from "./state-parts.ts";

/** How often a peer that is followed is asked for its state, and how long it has to answer, in milliseconds. */
const ASK_MS = 2000;
/** The most characters of states that are kept for peers that nobody follows any more, to show them if a peer has died. */
const MAX_KEPT_CHARS = 32 * 1024 * 1024;

export interface BusPeerStatesOptions {
  readonly bus: Bus;
  readonly calls: Calls;
  readonly subjects: Subjects;
  readonly serverId: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Following {
  followers: number;
  readonly end: () => void;
  /** Called when the state is known to be current. */
  readonly waiting: Set<() => void>;
}

/**
 * Exchanges the states of servers over the bus. Each server asks the peers that its viewers look at, and they publish theirs.
 */
export class BusPeerStates implements PeerStates {
  readonly #options: BusPeerStatesOptions;
  readonly #following = new Map<string, Following>();
  /** The newest state of each peer; the one that was received first comes first. */
  readonly #latest = new Map<string, PeerText & { readonly sent: number }>();
  #received = 0;
  #own: OwnState | undefined;
  #writer: OwnStateWriter | undefined;

  constructor(options: BusPeerStatesOptions) {
    this.#options = options;
  }

  /** What this server shows to peers; undefined until `offer` was called. */
  get own(): OwnState | undefined {
    return this.#own;
  }

  offer(own: OwnState): void {
    const { subjects, serverId } = this.#options;
    this.#own = own;
    this.#writer = new OwnStateWriter({ ...this.#options, subject: subjects.state(serverId) }, own);
  }

  follow(peerId: string): FollowedPeer {
    const { clock } = this.#options;
    const following = this.#following.get(peerId) ?? this.#begin(peerId);
    following.followers += 1;
    const since = clock.now();
    let isOpen = true;
    return {
      latest: () => this.#latest.get(peerId),
      next: async (ms) => {
        const current = this.#latest.get(peerId);
        // Another viewer follows the peer, so its newest state is here.
        if (following.followers > 1 && current && clock.now() - current.confirmedAt < ASK_MS) return current;
        await confirmed(following, clock, ms);
        const latest = this.#latest.get(peerId);
        return latest && latest.confirmedAt >= since ? latest : undefined;
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        following.followers -= 1;
        if (following.followers > 0) return;
        following.end();
        this.#following.delete(peerId);
        this.#forgetOldest();
      },
    };
  }

  close(): void {
    this.#writer?.close();
    for (const { end } of this.#following.values()) end();
    this.#following.clear();
  }

  #begin(peerId: string): Following {
    const { bus, subjects, clock } = this.#options;
    const assembly = new StateAssembly();
    const leave: Unsubscribe = bus.subscribe(subjects.state(peerId), ({ bytes }) => {
      const state = assembly.add(bytes);
      if (!state) return;
      this.#received += 1;
      this.#keep(peerId, { text: state.text, number: this.#received, sent: state.number, confirmedAt: clock.now() });
    });
    const stop: CancelTimer = clock.every(ASK_MS, () => void this.#ask(peerId));
    const following: Following = {
      followers: 0,
      waiting: new Set(),
      end: () => {
        stop();
        leave();
      },
    };
    this.#following.set(peerId, following);
    void this.#ask(peerId, 0);
    return following;
  }

  async #ask(peerId: string, have = this.#latest.get(peerId)?.sent ?? 0): Promise<void> {
    const { calls } = this.#options;
    const result = await calls.ask(peerId, STATE_QUESTION, { have }, ASK_MS);
    const latest = this.#latest.get(peerId);
    if (result.kind !== "answer" || !latest || !this.#following.has(peerId)) return;
    const { body } = result;
    const isCurrent =
      typeof body === "object" &&
      body !== null &&
      "number" in body &&
      body.number === latest.sent &&
      have === latest.sent;
    if (isCurrent) this.#keep(peerId, { ...latest, confirmedAt: this.#options.clock.now() });
  }

  #keep(peerId: string, state: PeerText & { readonly sent: number }): void {
    this.#latest.delete(peerId);
    this.#latest.set(peerId, state);
    for (const resolve of this.#following.get(peerId)?.waiting ?? []) resolve();
  }

  #forgetOldest(): void {
    let chars = 0;
    for (const { text } of this.#latest.values()) chars += text.length;
    for (const [peerId, { text }] of this.#latest) {
      if (chars <= MAX_KEPT_CHARS) return;
      if (this.#following.has(peerId)) continue;
      this.#latest.delete(peerId);
      chars -= text.length;
    }
  }
}

/** Resolves when the peer's state is known to be current, or when `ms` have passed. */
function confirmed({ waiting }: Following, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      waiting.delete(end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    waiting.add(end);
  });
}
