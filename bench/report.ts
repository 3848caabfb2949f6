/** A part of the report: what was measured, as tables. */
export interface Report {
  readonly title: string;
  /** Sentences before the tables: how it was measured, in numbers. */
  readonly method: string;
  readonly tables: readonly Table[];
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One comparison, mostly with a number that Moorage means to reach. */
export type Goal = {
  readonly what: string;
  readonly measured: string;
} & ({ readonly wanted: string; readonly isMet: boolean } | { readonly wanted: undefined });

/** What a part hands back. */
export interface PartResult {
  readonly goals: readonly Goal[];
  readonly report: Report;
}

export function renderGoals(goals: readonly Goal[]): string {
  const verdict = (goal: Goal): string[] =>
    goal.wanted === undefined ? ["–", "–"] : [goal.wanted, goal.isMet ? "yes" : "**no**"];
  const rows = goals.map((goal) => [goal.what, goal.measured, ...verdict(goal)]);
  return renderTable({ head: ["what", "measured", "wanted", "reached"], rows });
}

export function renderReport(report: Report): string {
  return [`### ${report.title}`, report.method, ...report.tables.map(renderTable)].join("\n\n");
}

function renderTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
