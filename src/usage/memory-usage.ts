import { Cell } from "./live-cells.ts";
import {
  KEPT_MS,
  type KeySpent,
  periodOf,
  type Step,
  stepsSince,
  type UsageCell,
  type UsageOwner,
  type UsageRange,
  type UsageRecords,
  type UsageRow,
  type UsageView,
} from "./usage-records.ts";

/** The most rows of each step. A row takes about 250 bytes, so all of them take 15 MB at most. */
export const MAX_MEMORY_ROWS = 20_000;
const PAGE_ROWS = 1000;

/** Usage that is lost at the end of the process. Of each step it keeps the newest `MAX_MEMORY_ROWS` rows. */
export class MemoryUsage implements UsageRecords {
  /** Rows by period and owner, the oldest first. */
  readonly #rows: Readonly<Record<Step, Map<string, Cell>>> = { minute: new Map(), hour: new Map(), day: new Map() };

  add(cells: readonly UsageCell[]): boolean {
    for (const cell of cells)
      for (const step of ["minute", "hour", "day"] as const)
        this.#addTo(this.#rows[step], periodOf(cell.at, step), cell);
    return true;
  }

  view({ step, from, to, key }: UsageRange): UsageView {
    const rows = this.#of(step)
      .filter((row) => row.at >= from && row.at < to && (key === undefined || row.key === key))
      .sort((a, b) => a.at - b.at)
      .map(copyOf);
    let read = 0;
    return {
      next() {
        const page = rows.slice(read, read + PAGE_ROWS);
        read += page.length;
        return page;
      },
      close: () => {},
    };
  }

  spentSince(from: number): readonly KeySpent[] {
    const { firstHour, firstDay } = stepsSince(from);
    const spent = new Map<string, { key: string; tokens: number; audioMs: number }>();
    const rows = [
      ...this.#of("minute").filter(({ at }) => at >= from && at < firstHour),
      ...this.#of("hour").filter(({ at }) => at >= firstHour && at < firstDay),
      ...this.#of("day").filter(({ at }) => at >= firstDay),
    ];
    for (const { key, input, output, audioMs } of rows) {
      const sum = spent.get(key) ?? { key, tokens: 0, audioMs: 0 };
      sum.tokens += input + output;
      sum.audioMs += audioMs;
      spent.set(key, sum);
    }
    return [...spent.values()];
  }

  prune(now: number, limit: number): boolean {
    let isMore = false;
    for (const step of ["minute", "hour"] as const) {
      const old = this.#of(step).filter(({ at }) => at < now - KEPT_MS[step]);
      for (const row of old.slice(0, limit)) this.#rows[step].delete(labelOf(row.at, row));
      isMore ||= old.length > limit;
    }
    return isMore;
  }

  #of(step: Step): Cell[] {
    return [...this.#rows[step].values()];
  }

  #addTo(rows: Map<string, Cell>, at: number, cell: UsageCell): void {
    const label = labelOf(at, cell);
    const known = rows.get(label);
    const row = known ?? new Cell(at, cell);
    row.add(cell);
    if (known) return;
    rows.set(label, row);
    for (const [oldest] of rows) {
      if (rows.size <= MAX_MEMORY_ROWS) break;
      rows.delete(oldest);
    }
  }
}

/** Copies a row, because more may be added to it while a view is read. */
function copyOf(row: Cell): UsageRow {
  return { ...row };
}

function labelOf(at: number, { key, model, endUser }: UsageOwner): string {
  return `${at}\0${key}\0${model}\0${endUser}`;
}
