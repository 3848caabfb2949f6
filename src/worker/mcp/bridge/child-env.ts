/**
 * Variables with keys of Moorage's own programs, which may all run with one environment. No program of others may see
 * them.
 */
const SECRETS: ReadonlySet<string> = new Set([
  "ADMIN_KEY",
  "API_KEY",
  "ASR_API_KEY",
  "AUTH_TOKEN",
  "CLIENT_KEY",
  "COMPLETION_API_KEY",
  "JOIN_TOKEN",
  "MCP_HEADERS",
]);

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
