import * as v from "valibot";
import { type Positional, readFlags } from "./flags.ts";
import { line } from "./kinds.ts";
import { configText, helpText, type ProgramText } from "./render.ts";
import { type Setting, type Table, unset, type Values } from "./setting.ts";
import { type Given, readEnvironment, readPlatform, readYaml, type SourceReading } from "./sources.ts";

/** Where settings come from. The caller brings all of it: nothing here looks at the process. */
export interface Sources {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** How loading settings ends. With `print` the text is printed and the process exits 0; with `faults` it exits 78. */
export type Loaded<T> =
  | { readonly kind: "ready"; readonly config: T }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "faults"; readonly faults: readonly string[] };

/** EX_CONFIG of sysexits.h: the process was not started because its configuration is wrong. */
export const EXIT_CONFIG = 78;

export interface Read<S extends Table> {
  readonly kind: "read";
  /** Undefined when any value is missing because it is wrong; `faults` then says so. */
  readonly values: Values<S> | undefined;
  readonly faults: readonly string[];
  readonly positionals: readonly Positional[];
  /** Set when the settings are to be printed: makes the text, with computed values in place of "not set". */
  readonly print: ((computed: Readonly<Record<string, string>>) => string) | undefined;
}

/** Present for every program: it decides where the file is, so it cannot stand in the file. */
export const CONFIG_FILE: Setting<string | undefined> = unset(
  { ...line(4096), placeholder: "path", accepts: "a path" },
  {
    variable: "CONFIG_FILE",
    flag: "config",
    absent: undefined,
    help: "YAML file with settings, read before the environment and the flags.",
  },
);

/** Later sources win: defaults, the platform's defaults, file, environment, flags. Reports everything that is wrong, not just the first. */
export function readSettings<S extends Table>(
  table: S,
  sources: Sources,
  program: ProgramText,
): Read<S> | { readonly kind: "print"; readonly text: string } {
  const everything: Table = { configFile: CONFIG_FILE, ...table };
  const flags = readFlags(everything, sources.argv);
  if (flags.requests.has("help")) return { kind: "print", text: helpText(program, everything) };
  if (flags.requests.has("version")) return { kind: "print", text: `${program.name} ${program.version}` };

  const environment = readEnvironment(everything, sources.env);
  const file = readFileSource(table, flags.given.get("configFile") ?? environment.given.get("configFile"), sources);
  const given = new Map([
    ...readPlatform(table, sources.env).given,
    ...file.given,
    ...environment.given,
    ...flags.given,
  ]);
  const results = Object.entries<Setting<unknown>>(table).map(
    ([key, each]) => [key, toValue(each, given.get(key))] as const,
  );
  const faults = [...flags.faults, ...file.faults, ...results.flatMap(([, result]) => result.faults)];
  const isWhole = results.every(([, result]) => result.faults.length === 0);
  const values = Object.fromEntries(results.map(([key, result]) => [key, result.value]));
  return {
    kind: "read",
    // Each value came out of the schema of its own key, which is what Values<S> says.
    values: isWhole ? (values as Values<S>) : undefined,
    faults,
    positionals: flags.positionals,
    print: flags.requests.has("print-config") ? (computed) => configText(everything, given, computed) : undefined,
  };
}

function readFileSource(table: Table, path: Given | undefined, sources: Sources): SourceReading {
  if (!path) return { given: new Map(), faults: [] };
  const name = String(path.written).trim();
  try {
    return readYaml(table, name, sources.readFile(name));
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    return { given: new Map(), faults: [`config: file ${name}, named by ${path.source}, cannot be read (${reason})`] };
  }
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

/** Says which text is wrong, unless it is secret or may be a URL that holds one. */
function wrongPart(setting: Setting<unknown>, written: unknown, issue: v.BaseIssue<unknown>): string {
  const item = issue.path?.[0];
  const wrong = item ? item.value : written;
  const place = typeof item?.key === "number" ? ` item ${item.key + 1}` : "";
  const isShown = !setting.isSecret && typeof wrong === "string" && !/[@?]/.test(wrong);
  return isShown
    ? `${place} is ${JSON.stringify(wrong.length > 80 ? `${wrong.slice(0, 80)}…` : wrong)}`
    : `${place} is not usable`;
}

/** Freezes a plain value and all it holds; returns the same value. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
