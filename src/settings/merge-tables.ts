import type { Setting, Table } from "./setting.ts";

type Row = readonly [key: string, setting: Setting<unknown>];

/**
 * The program's own table with the rows of its parts between them, each where its `place` says. A row without a place
 * follows the row before it in its table; a table whose first row has none comes last. Rows at one place keep the
 * order of the parts. Throws when two rows share a name, or a place names no row of the program's own.
 */
export function mergeTables<S extends Table>(own: S, parts: readonly Table[]): S {
  const before = new Map<string, Row[]>();
  const after = new Map<string, Row[]>();
  const end: Row[] = [];
  const ownRows = Object.entries<Setting<unknown>>(own);
  for (const [, { variable }] of ownRows) {
    before.set(variable, []);
    after.set(variable, []);
  }
  for (const part of parts) {
    let list = end;
    for (const row of Object.entries(part)) {
      list = listAt(row[1]) ?? list;
      list.push(row);
    }
  }
  const rows = [...ownRows.flatMap((row) => [...at(before, row), row, ...at(after, row)]), ...end];
  assertDistinct(rows);
  return Object.fromEntries(rows) as S; // every row of S is among them

  function listAt({ place, variable }: Setting<unknown>): Row[] | undefined {
    if (!place) return undefined;
    const list = "before" in place ? before.get(place.before) : after.get(place.after);
    if (!list) throw new Error(`the place of the setting ${variable} is beside a setting that does not exist`);
    return list;
  }
}

function at(lists: ReadonlyMap<string, readonly Row[]>, [, { variable }]: Row): readonly Row[] {
  return lists.get(variable) ?? [];
}

function assertDistinct(rows: readonly Row[]): void {
  const keys = new Set<string>();
  const flags = new Set<string>();
  for (const [key, { variable, flag }] of rows) {
    if (keys.has(key) || keys.has(variable) || flags.has(flag))
      throw new Error(`there are two settings ${key} (${variable})`);
    keys.add(key).add(variable);
    flags.add(flag);
  }
}
