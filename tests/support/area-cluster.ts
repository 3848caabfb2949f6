import type { LinkContact } from "../../src/cluster/links/link-auth.ts";
import { Links } from "../../src/cluster/links/links.ts";
import { SocketTransport } from "../../src/cluster/links/socket-transport.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { createLog, silentLog } from "../../src/system/log.ts";
import type { Config } from "./default-config.ts";
import { eventually } from "./eventually.ts";
import { ScriptedCluster } from "./scripted-cluster.ts";
import { PortsNetwork, type ScriptedPorts } from "./scripted-ports.ts";
import { TestServer } from "./test-server.ts";

/** One server of an `AreaCluster`. */
export interface AreaMember {
  readonly server: TestServer;
  readonly ports: ScriptedPorts;
  readonly links: Links;
  /** The lines of its log, parsed. */
  readonly lines: readonly Record<string, unknown>[];
}

/**
 * Whole servers in one process that act as one, with real links between them on the loopback. They ask each other without a
 * bus, and a test says where workers are, unless it lets `follow` find out.
 */
export class AreaCluster {
  readonly network = new PortsNetwork();
  readonly #members = new Map<string, AreaMember>();
  readonly #contacts = new Map<string, LinkContact>();
  readonly #stops: (() => void)[] = [];

  static async start(ids: readonly string[], overrides: Partial<Config> = {}): Promise<AreaCluster> {
    const cluster = new AreaCluster();
    for (const id of ids) cluster.#add(id, overrides);
    await cluster.linked();
    return cluster;
  }

  at(id: string): AreaMember {
    const member = this.#members.get(id);
    if (!member) throw new Error(`no server ${id}`);
    return member;
  }

  /** Adds a server, and waits until all have links to it. */
  async add(id: string, overrides: Partial<Config> = {}): Promise<AreaMember> {
    const member = this.#add(id, overrides);
    await this.linked();
    return member;
  }

  async linked(): Promise<void> {
    for (const [id, { links }] of this.#members)
      for (const other of this.#members.keys())
        if (other !== id) await eventually(() => links.linkTo(other)?.session !== undefined, `${id} reaches ${other}`);
  }

  /** Ends a server as a crash would, as far as the others see. */
  async kill(id: string): Promise<void> {
    const { server, links } = this.at(id);
    this.#members.delete(id);
    links.close("killed");
    for (const other of this.#members.values()) other.links.forget(id, "killed");
    this.network.leave(id);
    await server.stop();
  }

  /** Tells all servers which of them has which relays, as soon as that changes. */
  follow(): void {
    const known = new Map<string, string>();
    this.#stops.push(
      systemClock.every(5, () => {
        const now = new Map<string, string>();
        for (const [id, { server }] of this.#members)
          for (const relay of relaysOf(server)) if (!now.has(relay)) now.set(relay, id);
        for (const [relay, id] of now) if (known.get(relay) !== id) this.network.move("mcp", relay, id);
        for (const relay of known.keys()) if (!now.has(relay)) this.network.move("mcp", relay, undefined);
        known.clear();
        for (const [relay, id] of now) known.set(relay, id);
      }),
    );
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    for (const { links, server } of this.#members.values()) {
      links.close("the test is over");
      await server.stop();
    }
    this.#members.clear();
  }

  #add(id: string, overrides: Partial<Config>): AreaMember {
    const scripted = this.network.join(id);
    const epoch = crypto.randomUUID();
    const links: Links = new Links({
      self: { id, epoch },
      deps: { clock: systemClock, log: silentLog, ids: systemIds },
      transport: new SocketTransport(systemClock),
      windowBytes: 256 * 1024,
      confirmTimeoutMs: 5000,
      random: Math.random,
    });
    const contact: LinkContact = links.listen({ host: "127.0.0.1", port: 0 }, (port) => `127.0.0.1:${port}`);
    const ports: ScriptedPorts = Object.assign(scripted, {
      exchanges: {
        sessionTo: (peer: string) => links.linkTo(peer)?.session,
        onChange: (onChanged: (peer: string) => void) => links.onChange(({ peerId }) => onChanged(peerId)),
        serve: (...args: Parameters<ScriptedPorts["exchanges"]["serve"]>) => links.serve(...args),
      },
    });
    const lines: Record<string, unknown>[] = [];
    const log = createLog({
      level: "debug",
      format: "json",
      write: (line) => lines.push(JSON.parse(line)),
      now: Date.now,
    });
    const cluster = Object.assign(new ScriptedCluster(systemClock), { ports, sights: undefined });
    const server = new TestServer(
      { plugins: ["llm", "mcp", "transfer"], serverId: id, ...overrides },
      { log },
      undefined,
      undefined,
      cluster,
    );
    for (const [otherId, other] of this.#members) {
      other.links.heard(contact);
      const theirs = this.#contacts.get(otherId);
      if (theirs) links.heard(theirs);
    }
    this.#contacts.set(id, contact);
    const member = { server, ports, links, lines };
    this.#members.set(id, member);
    return member;
  }
}

function relaysOf(server: TestServer): readonly string[] {
  const state = server.app.plugins.find(({ id }) => id === "mcp")?.reports?.state() as
    | { readonly relays: readonly { readonly id: string }[] }
    | undefined; // the shape of McpState
  return state?.relays.map(({ id }) => id) ?? [];
}
