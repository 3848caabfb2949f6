import type { OpenedKeys } from "../../src/keys/open-keys.ts";
import type { McpState } from "../../src/plugins/mcp/mcp-state.ts";
import type { Deps } from "../../src/system/deps.ts";
import type { HeaderPairs } from "../../src/wire/heads.ts";
import type { Config } from "./default-config.ts";
import { NativeWorker } from "./native-worker.ts";
import { CLIENT_KEY, TestServer } from "./test-server.ts";

export const MCP_JSON: HeaderPairs = [["content-type", "application/json"]];

/** A server with the MCP plugin, and common steps of its tests. */
export class McpServer extends TestServer {
  /** `opened` are keys beside those of the configuration. */
  constructor(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}, opened?: OpenedKeys) {
    const settings = { plugins: ["mcp"], mcpRejoinTimeoutMs: 300, ...overrides };
    super(settings, deps, undefined, undefined, undefined, opened);
  }

  /** Connects a scripted relay of the native dialect. */
  relay(hello: object = {}): Promise<NativeWorker> {
    return NativeWorker.connect({
      url: this.url,
      path: "/api/mcp/connect",
      register: { type: undefined, client_key: CLIENT_KEY, id: "tools", ...hello },
    });
  }

  /** Sends a request without a key of this server. */
  call(method: string, init: BunFetchRequestInit = {}, path = "/api/mcp/id/tools"): Promise<Response> {
    return fetch(`${this.url}${path}`, { method, ...init });
  }

  rpc(message: unknown, init: BunFetchRequestInit = {}, path?: string): Promise<Response> {
    return this.call(
      "POST",
      {
        body: typeof message === "string" ? message : JSON.stringify(message),
        ...init,
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...init.headers },
      },
      path,
    );
  }

  async mcpState(): Promise<McpState> {
    const response = await this.fetch("/api/state");
    const envelope = (await response.json()) as { plugins: { mcp: McpState } }; // the State API's own tests check this shape
    return envelope.plugins.mcp;
  }
}
