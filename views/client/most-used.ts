import type { ModelRow } from "./model-rows.ts";

/** Returns the models to show where there is room for some: those with the most waiting and running jobs. All are in order of their names. */
export function mostUsed(rows: readonly ModelRow[], most: number): readonly ModelRow[] {
  const byName = (a: ModelRow, b: ModelRow): number => a.name.localeCompare(b.name, undefined, { numeric: true });
  const byUse = (a: ModelRow, b: ModelRow): number => b.waiting - a.waiting || b.running - a.running || byName(a, b);
  return rows.toSorted(byUse).slice(0, most).sort(byName);
}
