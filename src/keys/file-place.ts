import * as v from "valibot";
import { isWeakKey } from "../system/key-strength.ts";
import { nameField } from "./spec-fields.ts";

/** Says which entry of the keys file is meant, by its number and, where they are known, its name and its line: `key 2 ('ci', line 7)`. */
export function placeInFile(what: "key" | "tenant", index: number, name: unknown, line?: number): string {
  const known = [...(isShowable(name) ? [`'${name}'`] : []), ...(line === undefined ? [] : [`line ${line}`])];
  return `${what} ${index + 1}${known.length === 0 ? "" : ` (${known.join(", ")})`}`;
}

/** Whether a name may be repeated. A long word with digits may be a key that was written into the wrong place. */
function isShowable(name: unknown): name is string {
  return v.is(nameField, name) && (isWeakKey(name) || !/\d/.test(name) || /\s/.test(name));
}
