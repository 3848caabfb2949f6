import type { Table } from "./setting.ts";

/** Returns the variables of the settings whose values differ, without the keys in `except`. */
export function changedVariables(
  table: Table,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  except: readonly string[],
): readonly string[] {
  return Object.entries(table)
    .filter(([key]) => !except.includes(key) && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map(([, { variable }]) => variable);
}
