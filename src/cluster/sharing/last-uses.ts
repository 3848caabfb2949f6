import * as v from "valibot";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/** How long uses are collected before they are told. Each key is noted once a minute at most. */
const GATHER_MS = 5000;
/** The most keys in a message. The others follow with the next one. */
const MAX_USES = 1000;
/** The oldest use that is taken. One that is told is some seconds old. */
const MAX_AGE_MS = 3_600_000;

/** The id of a key, and how long ago it was used: clocks of two servers are not compared. */
const rowSchema = v.tuple([
  v.pipe(v.string(), v.regex(/^[\da-z]{12}$/)),
  v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_AGE_MS)),
]);
const lastUsesSchema = v.object({
  type: v.literal("last_uses"),
  uses: v.pipe(v.array(rowSchema), v.maxLength(MAX_USES)),
});

/**
 * Tells the other servers when created keys were used, so that each of them shows the last use at any server. Messages are not
 * repeated: a use whose message is lost is shown by its own server only, until the next use.
 */
export class LastUses {
  readonly #clock: Clock;
  readonly #tells: Tells;
  /** Times of `Clock.now`, by the ids of the keys. There are no more than there are keys. */
  readonly #gathered = new Map<string, number>();
  #cancelTell: CancelTimer | undefined;

  constructor(clock: Clock, tells: Tells) {
    this.#clock = clock;
    this.#tells = tells;
  }

  /** Tells the others that a key was used at this time. */
  note(id: string, at: number): void {
    this.#gathered.set(id, at);
    this.#cancelTell ??= this.#clock.after(GATHER_MS, () => this.#tell());
  }

  /** Calls the listener for each use at another server, with its time by the clock of this one. There is one listener. */
  onTold(listener: (id: string, at: number) => void): void {
    this.#tells.on("last_uses", lastUsesSchema, (_peer, { uses }) => {
      const now = this.#clock.now();
      for (const [id, ageMs] of uses) listener(id, now - ageMs);
    });
  }

  close(): void {
    this.#cancelTell?.();
  }

  #tell(): void {
    this.#cancelTell = undefined;
    const now = this.#clock.now();
    const uses: [string, number][] = [];
    for (const [id, at] of this.#gathered) {
      if (uses.length === MAX_USES) break;
      uses.push([id, Math.min(Math.max(0, now - at), MAX_AGE_MS)]);
      this.#gathered.delete(id);
    }
    this.#tells.toAll({ type: "last_uses", uses });
    if (this.#gathered.size > 0) this.#cancelTell = this.#clock.after(GATHER_MS, () => this.#tell());
  }
}
