import type { CallHandler, CallResult, ClusterPorts, RemoteWorkers } from "../../src/plugin/cluster.ts";
import { ScriptedRemotes } from "./scripted-remotes.ts";

/** One server's ports to the others of a `PortsNetwork`. */
export interface ScriptedPorts extends ClusterPorts {
  /** Lets no answer of this server arrive. What it is asked to do, it does. */
  isSilent: boolean;
}

/** Servers in one process that ask each other at once and in order, and whose workers are where a test says. */
export class PortsNetwork {
  /** The questions that were asked, as `from to kind`. */
  readonly asked: string[] = [];
  readonly #servers = new Map<string, Server>();
  /** The server of each worker, by `plugin id`. */
  readonly #workers = new Map<string, string>();
  /** When each worker left its last server. */
  readonly #left = new Map<string, number>();

  join(serverId: string): ScriptedPorts {
    const server: Server = { handlers: new Map(), came: [], gone: [], moved: [] };
    const workersOf = (pluginId: string): RemoteWorkers => ({
      serverOf: (workerId) => {
        const at = this.#workers.get(`${pluginId} ${workerId}`);
        return at === serverId ? undefined : at;
      },
      accessOf: () => undefined,
      hasAccess: false,
      leftAgoMs: (workerId) => {
        const leftAt = this.#left.get(`${pluginId} ${workerId}`);
        return leftAt === undefined ? undefined : performance.now() - leftAt;
      },
      onMoved: (listener) => void server.moved.push({ pluginId, listener }),
    });
    const ports: ScriptedPorts = {
      isSilent: false,
      serverId,
      calls: {
        answer: (kind, handler) => void server.handlers.set(kind, handler),
        ask: (to, kind, body) => this.#ask(serverId, to, kind, body),
      },
      members: {
        ids: () => [...this.#servers.keys()].filter((id) => id !== serverId),
        isAnyReady: () => this.#servers.size > 1,
        onCame: (listener) => void server.came.push(listener),
        onGone: (listener) => void server.gone.push(listener),
      },
      exchanges: { sessionTo: () => undefined, onChange: () => {}, serve: () => {} },
      workersOf,
      joinPool: () => {
        const nobody = new ScriptedRemotes();
        return { remotes: { models: nobody, queue: nobody }, begin: () => {} };
      },
      prefixesOf: () => ({ tellPrompt: () => {}, tellResponse: () => {}, onTold: () => {} }),
    };
    server.ports = ports;
    this.#servers.set(serverId, server);
    for (const [id, other] of this.#servers) if (id !== serverId) for (const tell of other.came) tell(serverId);
    return ports;
  }

  /** Tells a server, once it has listeners, of those that were there before it. */
  meet(serverId: string): void {
    for (const id of this.#servers.keys())
      if (id !== serverId) for (const tell of this.#servers.get(serverId)?.came ?? []) tell(id);
  }

  /** Ends a server without a word to the others, who notice at once. */
  leave(serverId: string): void {
    this.#servers.delete(serverId);
    for (const other of this.#servers.values()) for (const tell of other.gone) tell(serverId);
  }

  /** Tells all servers where a worker is; undefined for nowhere. */
  move(pluginId: string, workerId: string, serverId: string | undefined): void {
    if (serverId === undefined) {
      this.#workers.delete(`${pluginId} ${workerId}`);
      this.#left.set(`${pluginId} ${workerId}`, performance.now());
    } else this.#workers.set(`${pluginId} ${workerId}`, serverId);
    for (const { moved } of this.#servers.values())
      for (const each of moved) if (each.pluginId === pluginId) each.listener(workerId);
  }

  async #ask(from: string, to: string, kind: string, body: unknown): Promise<CallResult> {
    this.asked.push(`${from} ${to} ${kind}`);
    const server = this.#servers.get(to);
    if (!server) return { kind: "nobody" };
    const handler = server.handlers.get(kind);
    if (!handler) return { kind: "unknown" };
    try {
      const answer: unknown = (await handler(JSON.parse(JSON.stringify(body)), from)) ?? null;
      return server.ports?.isSilent ? { kind: "late" } : { kind: "answer", body: JSON.parse(JSON.stringify(answer)) };
    } catch {
      return { kind: "failed" };
    }
  }
}

interface Server {
  ports?: ScriptedPorts;
  readonly handlers: Map<string, CallHandler>;
  readonly came: ((serverId: string) => void)[];
  readonly gone: ((serverId: string) => void)[];
  readonly moved: { readonly pluginId: string; readonly listener: (workerId: string) => void }[];
}
