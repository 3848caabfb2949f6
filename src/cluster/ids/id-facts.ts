import { SmallSets } from "./small-sets.ts";

/** What is known of one holder of a worker id: a session on some server, or the owner of one that has left. */
export interface IdFact {
  /** The server that announces the fact. */
  readonly server: string;
  readonly id: string;
  /** The session; undefined for a worker that has left. */
  readonly session: string | undefined;
  readonly owner: string;
  /** The owner that the worker proved to have been before, because its key was replaced. */
  readonly was: string | undefined;
  /** The stamp at which the owner got the id, which its later sessions inherit. */
  readonly since: number;
  /** The stamp at which the session began; that of its owner for a worker that has left. */
  readonly at: number;
  /** Whether the worker was told to connect to another server. */
  readonly isLeaving: boolean;
}

/** What happens to a session: it stays, or it is closed for one of the reasons in `CLOSES`. */
export type Verdict = "stays" | "replaced" | "id_in_use";

/**
 * The facts about worker ids of one plugin, on all servers. The rules below depend on the set of facts alone and not on the
 * order in which they were heard, so all servers that know the same facts come to the same verdicts:
 *
 * - An id belongs to the owner who has had it for longest, or to one who has proved to be that owner.
 * - Of several sessions of that owner the latest stays. One whose worker was told to leave may go on beside it.
 * - A session of anybody else is closed.
 */
export class IdFacts {
  readonly #byId = new SmallSets<IdFact>();

  add(fact: IdFact): void {
    this.#byId.add(fact.id, fact);
  }

  remove(fact: IdFact): void {
    this.#byId.remove(fact.id, fact);
  }

  of(id: string): readonly IdFact[] {
    return this.#byId.of(id);
  }

  /** Returns the fact that says who has the id; undefined if nobody has. */
  holderOf(id: string): IdFact | undefined {
    return holderAmong(this.of(id));
  }

  /** Returns the stamp since which an owner has the id if it gets it now: `now`, unless earlier facts exist. */
  sinceFor(id: string, { owner, was }: Pick<IdFact, "owner" | "was">, now: number): number {
    let since = now;
    for (const fact of this.of(id)) {
      if (fact.owner === owner) since = Math.min(since, fact.since);
      else if (fact.owner === was) since = Math.min(since, fact.since - 1);
    }
    return since;
  }

  /** Whether the owner of a session has a later one, which was not told to leave. */
  hasSuccessor(fact: IdFact): boolean {
    return this.of(fact.id).some((other) => isLaterSession(other, fact) && !other.isLeaving);
  }

  /** Judges a session, whose fact must be among those that were added. */
  judge(fact: IdFact): Verdict {
    const facts = this.of(fact.id);
    if (facts.length < 2) return "stays";
    const holder = holderAmong(facts) ?? fact;
    if (holder.owner !== fact.owner) {
      const isSuccessor = ({ owner, was }: IdFact): boolean => owner === holder.owner && was === fact.owner;
      if (!facts.some(isSuccessor)) return "id_in_use";
      return fact.isLeaving ? "stays" : "replaced";
    }
    if (fact.isLeaving) return "stays";
    for (const other of facts) if (isLaterSession(other, fact)) return "replaced";
    return "stays";
  }
}

/** Whether `a` is a session of the same owner as `b` that began later. Equal stamps are ordered by the ids of their servers. */
function isLaterSession(a: IdFact, b: IdFact): boolean {
  if (a === b || a.session === undefined || a.owner !== b.owner) return false;
  return a.at > b.at || (a.at === b.at && orderOf(a) > orderOf(b));
}

function holderAmong(facts: readonly IdFact[]): IdFact | undefined {
  if (facts.length < 2) return facts[0];
  const since = sinceByOwner(facts);
  let holder: IdFact | undefined;
  let holderSince = 0;
  for (const fact of facts) {
    const factSince = since.get(fact.owner) ?? fact.since;
    const isEarlier =
      factSince < holderSince || (factSince === holderSince && holder && orderOf(fact) < orderOf(holder));
    if (holder && !isEarlier) continue;
    holder = fact;
    holderSince = factSince;
  }
  return holder;
}

/**
 * Returns the stamps since which the owners have had an id. An owner that has proved to be an earlier one comes just before
 * it. Each round follows one replaced key and uses only the results of the round before, so the order of the facts does not
 * matter.
 */
function sinceByOwner(facts: readonly IdFact[]): ReadonlyMap<string, number> {
  let since = new Map<string, number>();
  for (const fact of facts) since.set(fact.owner, Math.min(fact.since, since.get(fact.owner) ?? fact.since));
  for (let round = 1; round < facts.length; round += 1) {
    const next = new Map(since);
    for (const { owner, was } of facts) {
      const before = was === undefined || was === owner ? undefined : since.get(was);
      if (before !== undefined) next.set(owner, Math.min(next.get(owner) ?? before, before - 1));
    }
    since = next;
  }
  return since;
}

function orderOf({ server, session = "" }: IdFact): string {
  return `${server} ${session}`;
}
