/** A part of the report: its measurements as tables. */
export interface Report {
  readonly title: string;
  /** The sentences before the tables: how the part was measured, with numbers. */
  readonly method: string;
  readonly tables: readonly Table[];
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One comparison, usually with a goal for Moorage. */
export type Goal = {
  readonly what: string;
  readonly measured: string;
} & ({ readonly wanted: string; readonly isMet: boolean } | { readonly wanted: undefined });

/** The result of a part. */
export interface PartResult {
  readonly goals: readonly Goal[];
  readonly report: Report;
}

export function renderGoals(goals: readonly Goal[]): string {
  const verdict = (goal: Goal): string[] =>
    goal.wanted === undefined ? ["–", "–"] : [goal.wanted, goal.isMet ? "yes" : "**no**"];
  const rows = goals.map((goal) => [goal.what, goal.measured, ...verdict(goal)]);
  return renderTable({ head: ["what", "measured", "goal", "reached"], rows });
}

export function renderReport(report: Report): string {
  return [`### ${report.title}`, report.method, ...report.tables.map(renderTable)].join("\n\n");
}

function renderTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
