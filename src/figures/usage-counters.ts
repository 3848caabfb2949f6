import type { CellCounter } from "./cell-counter.ts";
import { UNIT_RULES, type Unit } from "./units.ts";

/** Creates the counters that the table of units names. */
export function createUsageCounters(
  counter: (name: string, help: string, labelNames: readonly string[]) => CellCounter,
) {
  type Labels = Readonly<Record<string, string>>;
  const counters = new Map<string, CellCounter>();
  const series: { readonly unit: Unit; readonly owner: CellCounter; readonly labels: Labels }[] = [];
  for (const [unit, rule] of UNIT_RULES) {
    const { name, help, labels } = rule.counter;
    const owner = counters.get(name) ?? counter(name, help, ["plugin", "model", ...Object.keys(labels)]);
    counters.set(name, owner);
    series.push({ unit, owner, labels });
  }
  return {
    /** The functions that add to each unit's series of one model. */
    cells: (model: Labels): readonly { readonly unit: Unit; readonly add: (by: number) => void }[] =>
      series.map(({ unit, owner, labels }) => ({ unit, add: owner.cell({ ...model, ...labels }) })),
    drop(model: Labels): void {
      for (const { owner, labels } of series) owner.drop({ ...model, ...labels });
    },
  };
}
