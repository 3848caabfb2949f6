import { cleanText } from "../wire/clean-text.ts";

export interface Column {
  readonly title: string;
  /** Whether the column is aligned to the right. */
  readonly isNumber?: boolean;
}

/** Formats a table for people. Cells are cleaned, because clients and workers choose some of the texts. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(cleanText))];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => Bun.stringWidth(row[at] ?? ""))));
  const lines = cells.map((row) =>
    columns
      .map(({ isNumber }, at) => {
        const cell = row[at] ?? "";
        const blanks = " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell));
        return isNumber ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** Formats names and values, one pair on each line. */
export function textFields(fields: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  const lines = Object.entries(fields).map(([name, value]) => `${name.padEnd(width)}  ${cleanText(value)}`);
  return `${lines.join("\n")}\n`;
}
