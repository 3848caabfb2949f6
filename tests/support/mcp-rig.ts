import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { WorkerSettings } from "../../src/worker/args.ts";
import { eventually } from "./eventually.ts";
import { McpServer } from "./mcp-server.ts";
import { startTestWorker } from "./test-worker.ts";

const FIXTURE = join(import.meta.dir, "../../scripts/conformance/fixture-server.mjs");

/** A server and a native relay, joined by a line that can be cut. The relay serves the MCP server of the official suite. */
export class McpRig {
  readonly server: McpServer;
  /** The relay's URL for clients. */
  readonly url: URL;
  readonly #wire: Wire;
  readonly #running: readonly { stop(): unknown }[];

  private constructor(server: McpServer, wire: Wire, running: readonly { stop(): unknown }[]) {
    this.server = server;
    this.url = new URL(`${server.url}/api/mcp/id/tools/mcp`);
    this.#wire = wire;
    this.#running = running;
  }

  static async start(settings: Partial<WorkerSettings> = {}): Promise<McpRig> {
    const fixture = await startFixture();
    const server = new McpServer({ mcpRejoinTimeoutMs: 10_000 });
    const wire = await Wire.to(new URL(server.url));
    const relay = startTestWorker({
      kinds: ["mcp"],
      server: `http://127.0.0.1:${wire.port}`,
      id: "tools",
      mcpUrl: fixture.url,
      drainTimeoutMs: 0,
      ...settings,
    });
    await relay.registered;
    return new McpRig(server, wire, [relay, server, wire, fixture]);
  }

  /** Breaks the relay's link and prevents a new one. Resolves when the server has noticed. */
  async cutTunnel(): Promise<void> {
    this.#wire.cut();
    await eventually(async () => (await this.server.mcpState()).relays_summary.connected === 0, "the relay is gone");
  }

  mendTunnel(): void {
    this.#wire.mend();
  }

  async stop(): Promise<void> {
    for (const each of this.#running) await each.stop();
  }
}

/** Starts the MCP server in its own process. */
export async function startFixture(): Promise<{ readonly url: string; stop(): unknown }> {
  const child = Bun.spawn([process.execPath, FIXTURE, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const bytes of child.stdout) {
    said += Buffer.from(bytes).toString();
    const url = /http:\/\/\S+/.exec(said)?.[0];
    if (url !== undefined) {
      return {
        url,
        stop() {
          child.kill();
          return child.exited;
        },
      };
    }
  }
  throw new Error(`the MCP server ended before it listened: ${said}`);
}

/** A TCP line to the server that can be cut and restored. */
class Wire {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: URL) {
    this.#listener = createServer((near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      const far = dial(Number(target.port), target.hostname);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => {}); // The close event that follows is enough.
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  static async to(target: URL): Promise<Wire> {
    const wire = new Wire(target);
    await new Promise<void>((resolve) => wire.#listener.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the wire has no port");
    return address.port;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  stop(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#listener.close(() => resolve()));
  }
}
