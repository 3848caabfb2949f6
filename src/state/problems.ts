import type { Condition, Severity, Subject } from "../plugin/reports.ts";

/** A condition and the plugin that has it; null if the whole server has it. */
export interface Found extends Condition {
  readonly plugin: string | null;
}

/** What a problem is about, by ids: pages lead there. */
export interface ProblemSubject extends Subject {
  readonly plugin?: string;
}

/** A problem in the State API. Titles may contain workers' names. */
export interface Problem {
  /** For programs; never changes its meaning. */
  readonly code: string;
  readonly severity: Severity;
  readonly plugin: string | null;
  /** What it is about; empty if that is the whole server. */
  readonly about: ProblemSubject;
  readonly title: string;
  readonly advice: string;
  /** RFC 3339: when it began. */
  readonly since: string;
}

/** How many problems are listed, worst first. */
const MAX_PROBLEMS = 50;

const RANKS: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

/** A time by both clocks. */
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

/** Keeps the time since which each condition has held, and thus knows which conditions have become problems. */
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

  /** Replaces the conditions found before. A condition that is missing now is over, and starts again if it returns. */
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
  const { code, severity, plugin, subject, title, advice } = found;
  const about = { ...(plugin !== null && { plugin }), ...subject };
  return { code, severity, plugin, about, title, advice, since: new Date(begin.at).toISOString() };
}
