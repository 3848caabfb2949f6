import type { CancelTimer, Clock } from "../system/deps.ts";
import { toLegacyId } from "./legacy-id.ts";

/** The session that has an id at present. */
export interface IdHolder {
  /** `Clock.elapsed` of the last sign of life. */
  readonly lastHeardAt: number;
  ping(): void;
}

/**
 * The most legacy agents that may share one id. An agent without a `CLIENT_ID` takes the second of its start for it, so a
 * whole fleet that starts at once shares one.
 */
export const MAX_SHARING = 100;
/**
 * How long a holder has to give a sign of life. An agent answers a ping at once, and beats every 5 s even while it is
 * busy.
 */
export const HOLDER_ANSWER_MS = 6000;
/** Milliseconds between looks at which holders have answered. */
const LOOK_EVERY_MS = 100;
/**
 * The most messages that are held for an agent without an id, and their length. In 6 s it sends a heartbeat and perhaps a
 * status.
 */
const MAX_HELD = 64;
const MAX_HELD_CHARS = 256 * 1024;

/** Returns the id of the `place`-th legacy agent that calls itself `said`: `box`, `box.2`, `box.3` and so on. */
export function sharedId(said: string, place: number): string {
  return place === 1 ? said : toLegacyId(`${said}.${place}`);
}

export interface IdSearchOptions {
  /** The id that the agent gave itself. */
  readonly said: string;
  readonly holderOf: (id: string) => IdHolder | undefined;
  readonly clock: Clock;
  /** Called once, unless the search is stopped before. Undefined: every id is held by a living session. */
  readonly onFound: (id: string | undefined) => void;
}

/**
 * The search for the id of a legacy agent whose own is held: the first of `said`, `said.2`, `said.3` and so on that no
 * living session holds. All holders are pinged. The one that does not answer was lost without the server's knowledge, and
 * the newcomer is most likely the same agent, which gets its own id back.
 */
export class IdSearch {
  readonly #options: IdSearchOptions;
  readonly #askedAt: number;
  readonly #ids: readonly string[];
  readonly #stopLooking: CancelTimer;
  #held: (string | Uint8Array)[] = [];
  #heldChars = 0;

  constructor(options: IdSearchOptions) {
    const { said, holderOf, clock } = options;
    this.#options = options;
    this.#ids = Array.from({ length: MAX_SHARING }, (_, at) => sharedId(said, at + 1));
    this.#askedAt = clock.elapsed();
    for (const id of this.#ids) {
      const holder = holderOf(id);
      if (!holder) break;
      holder.ping();
    }
    this.#stopLooking = clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  /** Keeps a message that the agent sends before it has an id. Returns false if there is no room for it. */
  hold(message: string | Uint8Array): boolean {
    this.#heldChars += message.length;
    if (this.#held.length >= MAX_HELD || this.#heldChars > MAX_HELD_CHARS) return false;
    this.#held.push(typeof message === "string" ? message : message.slice());
    return true;
  }

  /** Returns the messages that were held, and keeps them no longer. */
  takeHeld(): readonly (string | Uint8Array)[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Ends the search. It may be called at any time, and more than once. */
  stop(): void {
    this.#stopLooking();
    this.#held = [];
  }

  #look(): void {
    const { holderOf, clock, onFound } = this.#options;
    const isOver = clock.elapsed() - this.#askedAt >= HOLDER_ANSWER_MS;
    const id = this.#ids.find((candidate) => {
      const holder = holderOf(candidate);
      return holder === undefined || holder.lastHeardAt <= this.#askedAt;
    });
    // The first holder that has not answered may still do so.
    if (id !== undefined && holderOf(id) && !isOver) return;
    this.#stopLooking();
    onFound(id);
  }
}
