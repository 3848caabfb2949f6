import { type FormerNames, hintOnKey, NO_FORMER_NAMES } from "./former-names.ts";
import { nearest } from "./nearest.ts";
import { parseYaml } from "./parse-yaml.ts";
import type { Setting, Table, Written } from "./setting.ts";

/** A written value and its source in words: "environment variable PORT". */
export interface Given {
  readonly written: Written;
  readonly source: string;
}

/** The values of one source, by the table's keys, and the faults of the source itself. */
export interface SourceReading {
  readonly given: ReadonlyMap<string, Given>;
  readonly faults: readonly string[];
}

/** Reads the variables that settings name and ignores all others. A variable that is empty or blank counts as unset. */
export function readEnvironment(table: Table, env: Readonly<Record<string, string | undefined>>): SourceReading {
  const given = new Map<string, Given>();
  for (const [key, setting] of Object.entries(table)) {
    const written = env[setting.variable];
    if (written?.trim()) given.set(key, { written, source: `environment variable ${setting.variable}` });
  }
  return { given, faults: [] };
}

/** Reads the defaults that the hosting platform brings in variables of its own. */
export function readPlatform(table: Table, env: Readonly<Record<string, string | undefined>>): SourceReading {
  const given = new Map<string, Given>();
  for (const [key, { platformVariable }] of Object.entries(table)) {
    const written = platformVariable === undefined ? undefined : env[platformVariable];
    if (written?.trim()) given.set(key, { written, source: `environment variable ${platformVariable}` });
  }
  return { given, faults: [] };
}

/** Reads the text of a YAML file. A key without a value, or with an empty text, counts as unset. */
export function readYaml(
  table: Table,
  path: string,
  text: string,
  former: FormerNames = NO_FORMER_NAMES,
): SourceReading {
  const root = parseYaml(text);
  if (!root.ok) return { given: new Map(), faults: [`config: file ${path} is not valid YAML (${root.reason})`] };
  if (root.value === null || root.value === undefined) return { given: new Map(), faults: [] };
  if (typeof root.value !== "object" || Array.isArray(root.value)) {
    return { given: new Map(), faults: [`config: file ${path} must hold one mapping of keys to values`] };
  }
  const given = new Map<string, Given>();
  const faults: string[] = [];
  const keys = new Map(Object.entries(table).map(([key, setting]) => [setting.yamlKey, key]));
  for (const [yamlKey, value] of Object.entries(root.value)) {
    const key = keys.get(yamlKey);
    const setting = key === undefined ? undefined : table[key];
    if (key === undefined || !setting) {
      for (const name of formerKeysIn(former, yamlKey, value)) {
        const mend = hintOnKey(former, name) ?? suggestion(name, table, (near) => near.yamlKey);
        faults.push(`${quoteName(name)}: unknown key in file ${path}${mend}`);
      }
      continue;
    }
    const source = `file ${path} key ${yamlKey}`;
    const written = toWritten(value, setting);
    if (written.ok) {
      if (written.text !== undefined) given.set(key, { written: written.text, source });
    } else {
      faults.push(`${yamlKey}: ${source} is ${written.found}; it takes ${setting.kind.accepts}`);
    }
  }
  return { given, faults };
}

/** Returns an unknown key, or in its place the keys inside it that a former program had, with dots between levels. */
function formerKeysIn(former: FormerNames, key: string, value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [key];
  const inner = Object.entries(value).flatMap(([name, each]) => formerKeysIn(former, `${key}.${name}`, each));
  const known = inner.filter((name) => hintOnKey(former, name) !== undefined);
  return known.length > 0 ? known : [key];
}

/** Returns "; did you mean …?" when a setting's flag or key is close to the unknown name, else an empty text. */
export function suggestion(name: string, table: Table, toName: (setting: Setting<unknown>) => string): string {
  const settings = Object.values(table);
  const near = nearest(name, [...settings.map((each) => each.flag), ...settings.map((each) => each.yamlKey)]);
  const found = settings.find((each) => each.flag === near) ?? settings.find((each) => each.yamlKey === near);
  return found ? `; did you mean ${toName(found)}?` : "";
}

type WrittenOrFound =
  | { readonly ok: true; readonly text: Written | undefined }
  | { readonly ok: false; readonly found: string };

/** Reads a YAML value as text. The value is never repeated in a fault, because it may be a secret of a wrong type. */
function toWritten(value: unknown, { kind }: Setting<unknown>): WrittenOrFound {
  if (value === null || value === undefined) return { ok: true, text: undefined };
  if (typeof value === "string") return { ok: true, text: value.trim() === "" ? undefined : value };
  if (typeof value === "number") {
    return kind.isNumeric ? { ok: true, text: String(value) } : { ok: false, found: "a number, and text needs quotes" };
  }
  if (Array.isArray(value)) {
    if (!kind.isList) return { ok: false, found: "a list" };
    const texts = value.filter((item): item is string => typeof item === "string");
    const wrong = value.findIndex((item) => typeof item !== "string");
    return wrong === -1
      ? { ok: true, text: texts }
      : { ok: false, found: `a list whose item ${wrong + 1} is not text in quotes` };
  }
  return { ok: false, found: typeof value === "boolean" ? "true or false" : "a mapping" };
}

function quoteName(name: string): string {
  return /^[\w.-]{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64));
}
