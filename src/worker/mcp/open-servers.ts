import type { SessionLimits } from "./bridge/sessions.ts";
import { UpstreamHealth } from "./health.ts";
import { createHub } from "./hub/hub.ts";
import type { McpServer } from "./mcp-server.ts";
import { type OpenOptions, type OpenServer, openServer } from "./open-server.ts";
import { compileRules, intersect } from "./rules.ts";
import type { Upstream } from "./url-upstream.ts";

/** What a relay serves. */
export interface Served {
  readonly upstream: Upstream;
  readonly health: UpstreamHealth;
}

/** The MCP servers of a worker, each of which is opened once: for its own relay, for the one URL of all, or for both. */
export class OpenServers {
  readonly #options: OpenOptions;
  readonly #byKey = new Map<string, OpenServer>();
  readonly #hubs: Upstream[] = [];

  constructor(options: OpenOptions) {
    this.#options = options;
  }

  open(server: McpServer): Served {
    const { source } = server;
    if (source.kind !== "hub") return this.#opened(server);
    const { limits, deps } = this.#options;
    const upstream = createHub({
      name: server.name,
      servers: source.servers.map((each) => ({
        key: keyOf(each),
        rules: intersect(...(each.rules ?? []).map(compileRules)),
        ...this.#opened(each),
      })),
      limits: limitsFor(server, limits),
      deps,
    });
    this.#hubs.push(upstream);
    return { upstream, health: new UpstreamHealth() };
  }

  /** Closes all servers. Resolves when the last one has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#hubs.map((hub) => hub.close()));
    await Promise.all([...this.#byKey.values()].map(({ upstream }) => upstream.close()));
  }

  #opened(server: McpServer): OpenServer {
    const key = keyOf(server);
    const opened = this.#byKey.get(key) ?? openServer(server, this.#optionsFor(server));
    this.#byKey.set(key, opened);
    return opened;
  }

  #optionsFor({ name }: McpServer): OpenOptions {
    const { deps } = this.#options;
    return { ...this.#options, deps: { ...deps, log: deps.log.with({ relay: name }) } };
  }
}

/**
 * Returns the limits of sessions of one URL. Each of them may start a process of every command that is not shared, so strangers
 * get as many sessions as start no more processes than at one server, and at least two.
 */
function limitsFor({ access, source }: McpServer, limits: SessionLimits): SessionLimits {
  if (access.kind !== "none" || source.kind !== "hub") return limits;
  const processes = source.servers.filter((each) => each.source.kind === "command" && each.source.sharing === "none");
  const most = Math.max(2, Math.floor(limits.maxSessions / Math.max(1, processes.length)));
  return { ...limits, maxSessions: Math.min(limits.maxSessions, most) };
}

/** A worker has the servers of one file, or a single one. */
function keyOf({ key, name }: McpServer): string {
  return key ?? name;
}
