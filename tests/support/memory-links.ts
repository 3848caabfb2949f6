import type { TellLine } from "../../src/cluster/tells.ts";
import type { Clock } from "../../src/system/deps.ts";

/**
 * The links between servers in one process. Texts arrive when the clock moves, in the order of their sending. A link that is
 * cut loses what is under way, and both ends notice at once.
 */
export class MemoryLinks {
  /** Milliseconds for a text in one direction. */
  delayMs: () => number;
  /** Whether links are so congested that every text is dropped. Links do not notice. */
  isLossy = false;
  /** Whether texts are lost on their way, as over a connection that is dead, which nobody has noticed yet. */
  isDead = false;
  /** The texts that were sent. */
  sent = 0;
  readonly #clock: Clock;
  readonly #lines = new Map<string, MemoryLine>();
  /** The number of each link that stands, by both its ends. */
  readonly #standing = new Map<string, number>();
  readonly #arrivals = new Map<string, number>();
  #number = 0;

  constructor(clock: Clock, delayMs: number | (() => number) = 1) {
    this.#clock = clock;
    this.delayMs = typeof delayMs === "number" ? () => delayMs : delayMs;
  }

  /** Adds a server, with links to all others. */
  join(id: string): MemoryLine {
    const line = new MemoryLine(id, this);
    this.#lines.set(id, line);
    return line;
  }

  /** Joins all servers that have no link to each other. */
  connectAll(): void {
    const ids = [...this.#lines.keys()];
    for (const [at, a] of ids.entries()) for (const b of ids.slice(at + 1)) this.connect(a, b);
  }

  connect(a: string, b: string): void {
    if (this.stands(a, b)) return;
    this.#number += 1;
    this.#standing.set(keyOf(a, b), this.#number);
    this.#lines.get(a)?.joined(b);
    this.#lines.get(b)?.joined(a);
  }

  cut(a: string, b: string): void {
    if (!this.#standing.delete(keyOf(a, b))) return;
    this.#lines.get(a)?.lost(b);
    this.#lines.get(b)?.lost(a);
  }

  stands(a: string, b: string): boolean {
    return this.#standing.has(keyOf(a, b));
  }

  peersOf(id: string): string[] {
    return [...this.#lines.keys()].filter((other) => other !== id && this.stands(id, other));
  }

  carry(from: string, to: string, text: string): boolean {
    return this.later(from, to, () => this.#lines.get(to)?.take(from, text));
  }

  /** Runs an action at the other end of a link, after all texts that were sent before. Returns false without a link. */
  later(from: string, to: string, action: () => void): boolean {
    const number = this.#standing.get(keyOf(from, to));
    if (number === undefined || this.isLossy) return false;
    this.sent += 1;
    if (this.isDead) return true;
    const way = `${from} ${to} ${number}`;
    const now = this.#clock.elapsed();
    const arrivesAt = Math.max(now + this.delayMs(), this.#arrivals.get(way) ?? 0);
    this.#arrivals.set(way, arrivesAt);
    this.#clock.after(arrivesAt - now, () => {
      if (this.#standing.get(keyOf(from, to)) === number) action();
    });
    return true;
  }
}

/** One server's end of all its links. */
export class MemoryLine implements TellLine {
  readonly id: string;
  readonly #links: MemoryLinks;
  #onTell: (peer: string, text: string) => void = () => {};
  readonly #onJoined: ((peer: string) => void)[] = [];
  readonly #onLost: ((peer: string) => void)[] = [];

  constructor(id: string, links: MemoryLinks) {
    this.id = id;
    this.#links = links;
  }

  peers(): Iterable<string> {
    return this.#links.peersOf(this.id);
  }

  rttMs(peer: string): number | undefined {
    return this.#links.stands(this.id, peer) ? 2 * this.#links.delayMs() : undefined;
  }

  tell(peer: string, text: string): boolean {
    return this.#links.carry(this.id, peer, text);
  }

  onTell(listener: (peer: string, text: string) => void): void {
    this.#onTell = listener;
  }

  onJoined(listener: (peer: string) => void): void {
    this.#onJoined.push(listener);
  }

  onLost(listener: (peer: string) => void): void {
    this.#onLost.push(listener);
  }

  take(peer: string, text: string): void {
    this.#onTell(peer, text);
  }

  joined(peer: string): void {
    for (const listener of this.#onJoined) listener(peer);
  }

  lost(peer: string): void {
    for (const listener of this.#onLost) listener(peer);
  }
}

function keyOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
