import * as v from "valibot";
import { type Positional, readFlags } from "./flags.ts";
import { type FormerNames, NO_FORMER_NAMES, type Remark, remarksOnVariables } from "./former-names.ts";
import { path } from "./kinds.ts";
import { configText, helpText, type ProgramText } from "./render.ts";
import { type Setting, type Table, unset, type Values } from "./setting.ts";
import { type Given, readEnvironment, readPlatform, readYaml, type SourceReading } from "./sources.ts";

/** The sources of settings. The caller supplies all of them; nothing here reads from the process. */
export interface Sources {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The outcome of loading settings. With `print` the text is printed and the process exits 0; with `faults` it exits 78. */
export type Loaded<T> =
  | { readonly kind: "ready"; readonly config: T; readonly remarks: readonly Remark[] }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "faults"; readonly faults: readonly string[] };

/** EX_CONFIG of sysexits.h: the process was not started because its configuration is wrong. */
export const EXIT_CONFIG = 78;

export interface Read<S extends Table> {
  readonly kind: "read";
  /** Undefined when any value is wrong; `faults` then says which. */
  readonly values: Values<S> | undefined;
  readonly faults: readonly string[];
  /** Settings that are not wrong, but do not do what their writer may expect: one log line each. */
  readonly remarks: readonly Remark[];
  readonly positionals: readonly Positional[];
  /** Returns the settings as text, with computed values in place of "not set". Undefined unless printing was requested. */
  readonly print: ((computed: Readonly<Record<string, string>>) => string) | undefined;
}

/** The setting that names the file. Every program has it, and the file cannot contain it. */
export const CONFIG_FILE: Setting<string | undefined> = unset(path, {
  variable: "CONFIG_FILE",
  flag: "config",
  absent: undefined,
  help: "YAML file with settings, read before the environment and the flags.",
});

/**
 * Later sources win: defaults, the platform's defaults, file, environment, flags. Reports everything that is wrong, not
 * just the first.
 */
export function readSettings<S extends Table>(
  table: S,
  sources: Sources,
  program: ProgramText,
  former: FormerNames = NO_FORMER_NAMES,
): Read<S> | { readonly kind: "print"; readonly text: string } {
  const everything: Table = { configFile: CONFIG_FILE, ...table };
  const flags = readFlags(everything, sources.argv, former);
  if (flags.requests.has("help")) return { kind: "print", text: helpText(program, everything) };
  if (flags.requests.has("version")) return { kind: "print", text: `${program.name} ${program.version}` };

  const { given, faults: unread } = readGiven(table, sources, flags, former);
  const results = Object.entries<Setting<unknown>>(table).map(
    ([key, each]) => [key, toValue(each, given.get(key))] as const,
  );
  const faults = [...flags.faults, ...unread, ...results.flatMap(([, result]) => result.faults)];
  const isWhole = results.every(([, result]) => result.faults.length === 0);
  const values = Object.fromEntries(results.map(([key, result]) => [key, result.value]));
  return {
    kind: "read",
    // Each value was read by the schema of its own key, so the result is Values<S>.
    values: isWhole ? (values as Values<S>) : undefined,
    faults,
    remarks: [...remarksOnVariables(former, everything, sources.env), ...remarksOnValues(table, given)],
    positionals: flags.positionals,
    print: flags.requests.has("print-config") ? (computed) => configText(everything, given, computed) : undefined,
  };
}

/** Returns what is given of a table's settings by platform, file, environment and flags, of which the later ones win. */
export function givenSettings(
  table: Table,
  sources: Sources,
  former: FormerNames = NO_FORMER_NAMES,
): ReadonlyMap<string, Given> {
  return readGiven(table, sources, readFlags({ configFile: CONFIG_FILE, ...table }, sources.argv, former), former)
    .given;
}

function readGiven(
  table: Table,
  sources: Sources,
  flags: SourceReading,
  former: FormerNames,
): { readonly given: ReadonlyMap<string, Given>; readonly faults: readonly string[] } {
  const environment = readEnvironment({ configFile: CONFIG_FILE, ...table }, sources.env);
  const named = flags.given.get("configFile") ?? environment.given.get("configFile");
  const file = readFileSource(table, named, sources, former);
  const platform = readPlatform(table, sources.env);
  const given = new Map([...platform.given, ...file.given, ...environment.given, ...flags.given]);
  return { given, faults: file.faults };
}

/** Returns the path of the file with settings, as flags or the environment name it; undefined if neither does. */
export function configFileOf({ argv, env }: Pick<Sources, "argv" | "env">): string | undefined {
  const table = { configFile: CONFIG_FILE };
  const given = readFlags(table, argv).given.get("configFile") ?? readEnvironment(table, env).given.get("configFile");
  return given && String(given.written).trim();
}

function readFileSource(table: Table, path: Given | undefined, sources: Sources, former: FormerNames): SourceReading {
  if (!path) return { given: new Map(), faults: [] };
  const name = String(path.written).trim();
  try {
    return readYaml(table, name, sources.readFile(name), former);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    return { given: new Map(), faults: [`config: file ${name}, named by ${path.source}, cannot be read (${reason})`] };
  }
}

function remarksOnValues(table: Table, given: ReadonlyMap<string, Given>): readonly Remark[] {
  const all = Object.entries<Setting<unknown>>(table);
  const isGiven = (wanted: string): boolean => all.some(([key, { variable }]) => variable === wanted && given.has(key));
  return all.flatMap(([key, { kind, variable, needs }]) => {
    const value = given.get(key);
    if (value === undefined) return [];
    const hints = [
      kind.remark?.(value.written),
      needs !== undefined && !isGiven(needs) ? `it has no effect without ${needs}, which is not set` : undefined,
    ];
    return hints.flatMap((hint) => (hint === undefined ? [] : [{ name: variable, hint }]));
  });
}

function toValue(
  setting: Setting<unknown>,
  given: Given | undefined,
): { readonly value: unknown; readonly faults: string[] } {
  const { fallback, kind } = setting;
  if (!given && fallback.written === undefined) return { value: fallback.absent, faults: [] };
  const { written, source } = given ?? { written: fallback.written, source: "the default" };
  const result = v.safeParse(kind.schema, written, { abortPipeEarly: true });
  if (result.success) return { value: result.output, faults: [] };
  const takes = `it takes ${kind.accepts}${kind.hint ? ` (${kind.hint})` : ""}`;
  const faults = result.issues.map(
    (issue) => `${setting.yamlKey}: ${source}${wrongPart(setting, written, issue)}; ${takes}`,
  );
  return { value: undefined, faults: [...new Set(faults)] };
}

/** Quotes the text that is wrong, unless it is secret or may be a URL with a secret in it. */
function wrongPart(setting: Setting<unknown>, written: unknown, issue: v.BaseIssue<unknown>): string {
  const item = issue.path?.[0];
  const wrong = item ? item.value : written;
  const place = typeof item?.key === "number" ? ` item ${item.key + 1}` : "";
  const isShown = !setting.isSecret && typeof wrong === "string" && !/[@?]/.test(wrong);
  return isShown
    ? `${place} is ${JSON.stringify(wrong.length > 80 ? `${wrong.slice(0, 80)}…` : wrong)}`
    : `${place} is not usable`;
}

/** Freezes a plain value and everything in it, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
