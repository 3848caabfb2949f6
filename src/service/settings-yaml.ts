import type { Named } from "./service-spec.ts";

/** Returns settings as the file that `--config` names. JSON's strings are YAML's, whatever they contain. */
export function settingsYaml(settings: readonly Named[]): string {
  const lines = settings.map(([variable, value]) => `${variable.toLowerCase()}: ${JSON.stringify(value)}`);
  return [HEAD, ...lines, ""].join("\n");
}

const HEAD =
  "# Settings of a Moorage worker, by the keys of docs/configuration.md. Restart the service after a change.";
