import type { Auth } from "../../auth/auth.ts";
import type { Config } from "../../config.ts";
import type { Listener } from "../../http/listener.ts";
import type { Deps } from "../../system/deps.ts";
import type { McpArea } from "./mcp-area.ts";
import type { PublicNames } from "./public-names.ts";

/** What the plugin's requests are served with. */
export interface McpPorts {
  readonly area: McpArea;
  readonly auth: Auth;
  readonly config: Config;
  readonly deps: Deps;
  readonly listener: Listener;
  readonly names: PublicNames;
}
