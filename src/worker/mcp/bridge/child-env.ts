/** The variables with the worker's own secrets, which the programs that it starts must not see. */
const SECRETS: ReadonlySet<string> = new Set(["CLIENT_KEY", "API_KEY", "AUTH_TOKEN", "COMPLETION_API_KEY"]);

/** Returns the environment for a child process: the worker's own, without its secrets and the variables in `withheld`. */
export function childEnv(
  env: Readonly<Record<string, string | undefined>>,
  withheld: readonly string[],
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !SECRETS.has(name) && !withheld.includes(name)) kept[name] = value;
  }
  return kept;
}
