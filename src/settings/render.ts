import { REQUESTS } from "./flags.ts";
import type { Setting, Table, Written } from "./setting.ts";
import type { Given } from "./sources.ts";

/** The program's description of itself for `--help`. */
export interface ProgramText {
  readonly name: string;
  readonly version: string;
  /** One sentence. */
  readonly about: string;
  /** The command line: `moorage worker <kind>… [flags]`. */
  readonly usage: string;
  /** Command lines that can be pasted, after their keys and addresses are replaced. */
  readonly examples?: readonly string[];
  /** The flags in groups. The others follow, in one group. */
  readonly groups?: readonly HelpGroup[];
  /** Flags that are not listed. */
  readonly hidden?: readonly string[];
  /** Where more is said; the last line. */
  readonly more?: string;
}

/** A part of the flags, under one heading. */
export interface HelpGroup {
  readonly title: string;
  /** Without dashes, in the order in which they are listed. */
  readonly flags: readonly string[];
}

const MASK = "********";

/** Lists every flag with its variable, default and meaning. */
export function helpText(program: ProgramText, table: Table): string {
  const requests = Object.entries(REQUESTS).map(
    ([flag, meaning]) => `  --${flag}${flag === "help" ? ", -h" : ""}\n      ${meaning}`,
  );
  return [
    `${program.name} ${program.version}: ${program.about}`,
    `Usage: ${program.usage}`,
    ...examplesText(program),
    "If a setting is given more than once, the later source wins: default, YAML file, environment variable, flag.\n" +
      "Durations look like 250ms, 90s, 5m or 1h30m (a bare number is seconds), sizes like 64KiB, 10MB or 2GiB\n" +
      "(a bare number is bytes); lists are separated by commas.\n" +
      "If settings are wrong, all errors are reported and the exit code is 78.",
    "Each setting has an environment variable, which stands below its flag.",
    ...groupsOf(program, table).flatMap(({ title, flags }) => [`${title}:`, ...flags.map(settingText)]),
    "Other flags:",
    ...requests,
    ...(program.more === undefined ? [] : [program.more]),
  ].join("\n\n");
}

interface SettingGroup {
  readonly title: string;
  readonly flags: readonly Setting<unknown>[];
}

function groupsOf({ groups = [], hidden = [] }: ProgramText, table: Table): readonly SettingGroup[] {
  const byFlag = new Map(Object.values(table).map((setting) => [setting.flag, setting]));
  const grouped = new Set([...groups.flatMap(({ flags }) => flags), ...hidden]);
  const rest = [...byFlag.keys()].filter((flag) => !grouped.has(flag));
  return [...groups, { title: groups.length === 0 ? "Settings" : "Other settings", flags: rest }]
    .map(({ title, flags }) => ({ title, flags: flags.flatMap((flag) => byFlag.get(flag) ?? []) }))
    .filter(({ flags }) => flags.length > 0);
}

function settingText({ flag, variable, kind, fallback, help }: Setting<unknown>): string {
  return (
    `  --${flag}${kind.isSwitch ? "" : ` <${kind.placeholder}>`}\n` +
    `      ${variable}, default: ${fallback.says}\n` +
    `      ${help} Takes ${kind.accepts}.`
  );
}

function examplesText({ examples = [] }: ProgramText): readonly string[] {
  if (examples.length === 0) return [];
  return [`${examples.length === 1 ? "Example" : "Examples"}:\n${examples.map((each) => `  ${each}`).join("\n")}`];
}

/** Writes the effective settings as YAML, each with its source in a comment. Secrets are masked, item by item. */
export function configText(
  table: Table,
  given: ReadonlyMap<string, Given>,
  computed: Readonly<Record<string, string>>,
): string {
  const lines = Object.entries(table).map(([key, setting]) => {
    const from = given.get(key);
    const written = from?.written ?? setting.fallback.written;
    const shown = computed[key] ?? (written === undefined ? "" : toText(setting, written));
    const source =
      from?.source ?? (setting.fallback.written === undefined ? `default: ${setting.fallback.says}` : "default");
    return `${`${setting.yamlKey}: ${toYaml(shown)}`.trimEnd()}  # ${source}`;
  });
  return lines.join("\n");
}

/** Writes the reference table of `docs/configuration.md`. */
export function markdownTable(table: Table): string {
  const rows = Object.values(table).map((setting) => [
    `\`${setting.variable}\``,
    `\`--${setting.flag}\``,
    setting.variable === "CONFIG_FILE" ? "" : `\`${setting.yamlKey}\``,
    setting.fallback.written === undefined ? setting.fallback.says : `\`${setting.fallback.says}\``,
    `${setting.help} Takes ${setting.kind.accepts}.`.replaceAll("*", "\\*"),
  ]);
  const head = ["variable", "flag", "YAML key", "default", "meaning"];
  const all = [head, head.map(() => "---"), ...rows];
  return all.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
}

function toText(setting: Setting<unknown>, written: Written): string {
  const items = typeof written === "string" ? (setting.kind.isList ? written.split(",") : [written]) : written;
  return items.map((item) => (setting.isSecret ? MASK : item.trim())).join(",");
}

/** Writes a text as YAML, in quotes unless it is plainly a word, a number, an address or a list of them. */
function toYaml(text: string): string {
  return text === "" || /^[A-Za-z0-9/][\w./:,+-]*$/.test(text) ? text : JSON.stringify(text);
}
