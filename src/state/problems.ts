import type { Condition, Severity } from "../plugin/reports.ts";

/** A condition, and the plugin it was found in; null for one of the whole server. */
export interface Found extends Condition {
  readonly plugin: string | null;
}

/** Something that is wrong, as the State API says it. Titles may quote what workers call themselves. */
export interface Problem {
  /** For programs; never changes its meaning. */
  readonly code: string;
  readonly severity: Severity;
  readonly plugin: string | null;
  readonly title: string;
  readonly advice: string;
  /** RFC 3339: when it began. */
  readonly since: string;
}

/** Told at once: who has more to mend begins with the worst. */
const MAX_PROBLEMS = 50;

const RANKS: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

/** A moment on both clocks. */
interface Moment {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `Clock.elapsed`. */
  readonly elapsed: number;
}

interface Held {
  readonly found: Found;
  readonly begin: Moment;
  /** `Clock.elapsed` of when it was last found. */
  readonly foundAt: number;
}

/** Knows since when each condition has held, and so which of them are problems by now. */
export class Problems {
  #held: ReadonlyMap<string, Held> = new Map();
  #list: readonly Problem[] = [];
  #text = "";
  #revision = 0;

  /** Worst first, then oldest first. */
  get list(): readonly Problem[] {
    return this.#list;
  }

  /** Grows with every change of the list. */
  get revision(): number {
    return this.#revision;
  }

  /** Takes over what is found now. What is not found any more is over, and begins anew when it comes back. */
  update(found: readonly Found[], now: Moment): void {
    const held = new Map<string, Held>();
    for (const each of found) {
      const key = `${each.plugin} ${each.code} ${each.about}`;
      held.set(key, { found: each, begin: this.#held.get(key)?.begin ?? now, foundAt: now.elapsed });
    }
    for (const [key, each] of this.#held) {
      if (!held.has(key) && now.elapsed - each.foundAt < (each.found.lingerMs ?? 0)) held.set(key, each);
    }
    this.#held = held;
    const list = [...held.values()]
      .filter((each) => now.elapsed - each.begin.elapsed >= (each.found.afterMs ?? 0))
      .sort((a, b) => RANKS[a.found.severity] - RANKS[b.found.severity] || a.begin.elapsed - b.begin.elapsed)
      .slice(0, MAX_PROBLEMS)
      .map(toProblem);
    const text = JSON.stringify(list);
    if (text === this.#text) return;
    this.#text = text;
    this.#list = list;
    this.#revision += 1;
  }
}

function toProblem({ found, begin }: Held): Problem {
  const { code, severity, plugin, title, advice } = found;
  return { code, severity, plugin, title, advice, since: new Date(begin.at).toISOString() };
}
