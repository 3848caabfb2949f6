import { Sum } from "./amounts.ts";
import { OTHERS, type UsageQuery } from "./usage-query.ts";
import { periodOf, type UsageOwner, type UsageRow } from "./usage-records.ts";

/** The usage of one group within one period. A dimension by which the query does not group is undefined. */
export class Group extends Sum {
  readonly at: number;
  readonly key: string | undefined;
  readonly model: string | undefined;
  readonly endUser: string | undefined;

  constructor(at: number, row: UsageOwner, { by }: UsageQuery) {
    super();
    this.at = at;
    this.key = by.includes("key") ? row.key : undefined;
    this.model = by.includes("model") ? row.model : undefined;
    this.endUser = by.includes("end_user") ? row.endUser : undefined;
  }
}

/** Adds up the rows that a query asks for. */
export class UsageGroups {
  readonly #query: UsageQuery;
  readonly #periods = new Map<number, Map<string, Group>>();
  #size = 0;

  readonly #labels: ReadonlyMap<string, string> | undefined;

  constructor(query: UsageQuery) {
    this.#query = query;
    const { labels } = query;
    this.#labels =
      labels && new Map(labels.flatMap(([label, values]) => values.map((value) => [value, label] as const)));
  }

  /** The number of groups of all periods. */
  get size(): number {
    return this.#size;
  }

  /** Adds a row, unless the query does not ask for it. */
  add(row: UsageRow): void {
    const { from, to, step, periodMs, key, model, endUser } = this.#query;
    const began = periodOf(row.at, step);
    if (began < from || began >= to) return;
    if (key !== undefined && row.key !== key) return;
    if (model !== undefined && row.model !== model) return;
    if (endUser !== undefined && row.endUser !== endUser) return;
    const at = periodMs === undefined ? began : began - (began % periodMs);
    this.#groupOf(at, this.#labelled(row)).add(row);
  }

  /** Adds a group of another server, which has answered the same query. */
  merge(row: UsageRow): void {
    this.#groupOf(row.at, row).add(row);
  }

  #labelled(row: UsageRow): UsageRow {
    const labels = this.#labels;
    if (!labels) return row;
    const { by } = this.#query;
    return by[0] === "model"
      ? { ...row, model: labels.get(row.model) ?? OTHERS }
      : { ...row, key: labels.get(row.key) ?? OTHERS };
  }

  /** Yields the groups in the order of their periods, and then of their dimensions. Sorts each period when it is reached. */
  *sorted(): Generator<Group> {
    for (const at of [...this.#periods.keys()].sort((a, b) => a - b)) {
      const groups = this.#periods.get(at) ?? new Map<string, Group>();
      for (const [, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) yield group;
    }
  }

  #groupOf(at: number, owner: UsageOwner): Group {
    let groups = this.#periods.get(at);
    if (!groups) {
      groups = new Map();
      this.#periods.set(at, groups);
    }
    const made = new Group(at, owner, this.#query);
    const label = `${made.key ?? ""}\0${made.model ?? ""}\0${made.endUser ?? ""}`;
    const known = groups.get(label);
    if (known) return known;
    groups.set(label, made);
    this.#size += 1;
    return made;
  }
}
