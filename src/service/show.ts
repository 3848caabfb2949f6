import { isSecretVariable } from "./kept-settings.ts";
import type { Command, Named, ServicePlan } from "./service-spec.ts";

/** Stands for a value that is not shown. */
const MASK = "…";

/** Returns settings without their secrets. */
export function maskedSettings(settings: readonly Named[]): readonly Named[] {
  return settings.map(([variable, value]) => [variable, isSecretVariable(variable) ? MASK : value]);
}

/** Variables of the environment that are known to be no secrets. */
const PLAIN = new Set(["PATH", "NODE_EXTRA_CA_CERTS", "BUN_CONFIG_MAX_HTTP_REQUESTS"]);

/** Returns variables of the environment without the values that may be secret. */
export function maskedEnvironment(environment: readonly Named[]): readonly Named[] {
  return environment.map(([name, value]) => [name, PLAIN.has(name) ? value : MASK]);
}

/** Returns what a plan writes and runs. The plan MUST be one without secrets. */
export function planText({ files, start }: ServicePlan): string {
  const written = files.map(
    ({ path, text, access }) =>
      `${path}${access === "private" ? "  (mode 600, secrets not shown)" : ""}\n\n${indented(text)}\n`,
  );
  return `${written.join("\n")}\nCommands:\n${commandLines(start)}`;
}

export function commandLines(commands: readonly Command[]): string {
  return commands.map(({ words }) => `  ${commandLine(words)}\n`).join("");
}

/** Returns words as one line of a shell, for people. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@%+=,\\-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}
