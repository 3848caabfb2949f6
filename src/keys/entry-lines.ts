const BEGINNING = /^(?:keys|"keys"|'keys')[ \t]*:[ \t]*(?:#.*)?$/;
const ENTRY = /^( *)-(?:[ \t]|$)/;
const TOP = /^[^\s#-]/;

/**
 * Returns the number of the line in which each entry of the list `keys` begins; undefined for a list that is not written with
 * one dash for each entry, of which there are `count`.
 */
export function entryLines(text: string, count: number): readonly number[] | undefined {
  const lines = text.split(/\r?\n/);
  const first = lines.findIndex((line) => BEGINNING.test(line)) + 1;
  if (first === 0) return undefined;
  const found: number[] = [];
  let indent: string | undefined;
  for (const [index, line] of lines.entries()) {
    if (index < first) continue;
    if (TOP.test(line)) break;
    const before = ENTRY.exec(line)?.[1];
    if (before === undefined) continue;
    indent ??= before;
    if (before === indent) found.push(index + 1);
  }
  return found.length === count ? found : undefined;
}
