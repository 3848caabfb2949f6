import { isRecord } from "../../../json/parse.ts";
import { variable, type WrittenEntry, without, withSwitch } from "./entry-form.ts";

/** Fields with which Codex treats a server or its tools, under names that mean something else here. */
const OF_CODEX = ["required", "default_tools_approval_mode", "scopes", "oauth_resource"];

/** Turns an entry of `mcp_servers` in the `config.toml` of Codex into one of `mcpServers`. */
export function fromCodex(entry: WrittenEntry): WrittenEntry {
  const { bearer_token_env_var, http_headers, env_http_headers, env_vars, enabled_tools, disabled_tools, ...rest } =
    withSwitch(without(entry, isRecord(entry["tools"]) ? [...OF_CODEX, "tools"] : OF_CODEX));
  const headers = {
    ...(typeof bearer_token_env_var === "string" ? { Authorization: `Bearer ${variable(bearer_token_env_var)}` } : {}),
    ...(isRecord(http_headers) ? http_headers : {}),
    ...(isRecord(env_http_headers)
      ? Object.fromEntries(Object.entries(env_http_headers).map(([name, from]) => [name, variable(String(from))]))
      : {}),
  };
  const passed = Array.isArray(env_vars) ? env_vars.flatMap(nameOf) : [];
  const env = {
    ...Object.fromEntries(passed.map((name) => [name, variable(name)])),
    ...(isRecord(rest["env"]) ? rest["env"] : {}),
  };
  return {
    ...rest,
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(enabled_tools === undefined ? {} : { enabledTools: enabled_tools }),
    ...(disabled_tools === undefined ? {} : { disabledTools: disabled_tools }),
  };
}

/** Returns the name of a variable that the program gets: a text, or a map with the name and where it comes from. */
function nameOf(given: unknown): readonly string[] {
  if (typeof given === "string") return [given];
  return isRecord(given) && typeof given["name"] === "string" ? [given["name"]] : [];
}
