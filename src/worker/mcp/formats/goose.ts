import { isRecord } from "../../../json/parse.ts";
import { renamed, type UnusableEntry, variable, type WrittenEntry, without, withSwitch } from "./entry-form.ts";

/** The types of extensions that are MCP servers. The others are parts of Goose. */
const SERVERS: ReadonlySet<unknown> = new Set(["stdio", "sse", "streamable_http"]);

/**
 * Turns an extension in the `config.yaml` of Goose into an entry of `mcpServers`; undefined for one that is a part of Goose.
 */
export function fromGoose(written: WrittenEntry): WrittenEntry | UnusableEntry | undefined {
  const entry = isRecord(written["config"]) ? { ...without(written, ["config"]), ...written["config"] } : written;
  if (!SERVERS.has(entry["type"])) return undefined;
  const { env_keys, available_tools, ...rest } = withSwitch(
    renamed(entry, { cmd: "command", uri: "url", envs: "env" }),
  );
  const keys = Array.isArray(env_keys) ? env_keys.filter((each): each is string => typeof each === "string") : [];
  const env = {
    // Goose keeps these in the keyring.
    ...Object.fromEntries(keys.map((name) => [name, variable(name)])),
    ...(isRecord(rest["env"]) ? rest["env"] : {}),
  };
  const isLimited = Array.isArray(available_tools) && available_tools.length > 0;
  return {
    ...without(rest, ["env"]),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(isLimited ? { enabledTools: available_tools } : {}),
  };
}
