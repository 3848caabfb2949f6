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
}

const MASK = "********";

/** Lists every flag with its variable, default and meaning. */
export function helpText(program: ProgramText, table: Table): string {
  const settings = Object.values(table).map(
    (setting) =>
      `  --${setting.flag}${setting.kind.isSwitch ? "" : ` <${setting.kind.placeholder}>`}\n` +
      `      ${setting.variable}, default: ${setting.fallback.says}\n` +
      `      ${setting.help} Takes ${setting.kind.accepts}.`,
  );
  const requests = Object.entries(REQUESTS).map(
    ([flag, meaning]) => `  --${flag}${flag === "help" ? ", -h" : ""}\n      ${meaning}`,
  );
  return [
    `${program.name} ${program.version}: ${program.about}`,
    `Usage: ${program.usage}`,
    "If a setting is given more than once, the later source wins: default, YAML file, environment variable, flag.\n" +
      "Durations look like 250ms, 90s, 5m or 1h30m (a bare number is seconds), sizes like 64KiB, 10MB or 2GiB\n" +
      "(a bare number is bytes); lists are separated by commas.\n" +
      "If settings are wrong, all errors are reported and the exit code is 78.",
    "Settings, each with its environment variable:",
    ...settings,
    "Other flags:",
    ...requests,
  ].join("\n\n");
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
