import type { Clock } from "../system/deps.ts";

/** How long an id still belongs to its owner after its last session ended (docs/protocol.md, "Registration"). */
const REMEMBER_MS = 10 * 60_000;
/** The most ids of absent workers that are remembered; the oldest are forgotten first. Registering needs a key, so this bounds memory, not trust. */
const MAX_AWAY = 50_000;

/** Remembers which key or role each worker id belongs to, while its worker is connected and for ten minutes after. */
export class IdOwners {
  readonly #clock: Clock;
  readonly #connected = new Map<string, { readonly owner: string; sessions: number }>();
  /** In the order of leaving, so that expired entries are at the front. */
  readonly #away = new Map<string, { readonly owner: string; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether the owner could claim the id now. */
  mayClaim(id: string, owner: string): boolean {
    const connected = this.#connected.get(id);
    if (connected) return connected.owner === owner;
    this.#expire();
    const away = this.#away.get(id);
    return away === undefined || away.owner === owner;
  }

  /** Returns whether the owner may use the id. Each true must be followed by one `release`. */
  claim(id: string, owner: string): boolean {
    if (!this.mayClaim(id, owner)) return false;
    const connected = this.#connected.get(id);
    if (connected) connected.sessions += 1;
    else this.#connected.set(id, { owner, sessions: 1 });
    this.#away.delete(id);
    return true;
  }

  release(id: string): void {
    const connected = this.#connected.get(id);
    if (!connected) return;
    connected.sessions -= 1;
    if (connected.sessions > 0) return;
    this.#connected.delete(id);
    this.#away.set(id, { owner: connected.owner, until: this.#clock.elapsed() + REMEMBER_MS });
    this.#expire();
  }

  #expire(): void {
    const now = this.#clock.elapsed();
    for (const [id, away] of this.#away) {
      if (away.until > now && this.#away.size <= MAX_AWAY) return;
      this.#away.delete(id);
    }
  }
}
