/** The worker's own secrets, which are no business of the programs that it starts. */
const SECRETS: ReadonlySet<string> = new Set(["CLIENT_KEY", "API_KEY", "AUTH_TOKEN", "COMPLETION_API_KEY"]);

/** The environment for a child: the worker's, as a shell would hand it on, without the worker's secrets. */
export function childEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !SECRETS.has(name)) kept[name] = value;
  }
  return kept;
}
