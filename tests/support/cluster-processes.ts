import { join } from "node:path";
import type { WorkerSettings } from "../../src/worker/args.ts";
import type { Worker } from "../../src/worker/worker.ts";
import { ClusterServer, type Env } from "./cluster-server.ts";
import { eventually } from "./eventually.ts";
import { NativeWorker } from "./native-worker.ts";
import { TestNats, type TestNatsOptions } from "./nats-server.ts";
import { ProgramRun } from "./program-run.ts";
import { API_KEY, CLIENT_KEY } from "./test-server.ts";
import { startTestWorker, type TestWorkerOptions } from "./test-worker.ts";

const ROOT = join(import.meta.dir, "../..");

export interface ClusterOptions {
  /** The number of servers; 3 unless it is given. */
  readonly servers?: number;
  /** Settings of all servers. */
  readonly env?: Env;
  /** Settings of the server at this place, beginning with 0. */
  readonly envOf?: (at: number, nats: TestNats) => Env;
  /** A module that the server at this place loads before its program. */
  readonly preloadOf?: (at: number) => string | undefined;
  readonly nats?: TestNatsOptions;
  /** Called when nats-server runs, before the settings of the servers are asked for. */
  readonly prepare?: (nats: TestNats) => Promise<void>;
  /** Whether `start` waits until all servers have found each other; it does unless this is false. */
  readonly isFormed?: boolean;
}

/** The settings that all servers have unless a test gives others: short waits, and peers that are noticed quickly. */
const USUAL: Env = {
  HOST: "127.0.0.1",
  API_KEY,
  CLIENT_KEY,
  DRAIN_TIMEOUT: "20s",
  START_GRACE: "2s",
  MAX_REQUESTS_PER_KEY: "2000",
  CLUSTER_LISTEN: "127.0.0.1:0",
};

/**
 * Several servers and a nats-server, each in a process of its own, with workers in this process or in their own. Everything
 * is on the loopback and on free ports. `stop` ends all of it, whatever state a test has left it in.
 */
export class ClusterProcesses {
  readonly nats: TestNats;
  readonly servers: readonly ClusterServer[];
  readonly #ofM: NativeWorker[] = [];
  readonly #running: { stop(): unknown }[] = [];

  readonly #create: (at: number) => ClusterServer;
  readonly #twins: ClusterServer[] = [];

  private constructor(nats: TestNats, count: number, create: (at: number) => ClusterServer) {
    this.nats = nats;
    this.#create = create;
    this.servers = Array.from({ length: count }, (_, at) => create(at));
  }

  /** Resolves when all servers have found each other. */
  static async start(options: ClusterOptions = {}): Promise<ClusterProcesses> {
    const { servers: count = 3, env = {}, envOf, preloadOf, isFormed = true } = options;
    const nats = await TestNats.start(options.nats);
    await options.prepare?.(nats);
    const cluster = new ClusterProcesses(nats, count, (at) => {
      const own = { ...USUAL, NATS_URL: nats.url, ...env, ...envOf?.(at, nats) };
      return new ClusterServer(`s${at + 1}`, own, preloadOf?.(at));
    });
    try {
      await Promise.all(cluster.servers.map((server) => server.start()));
      if (isFormed) await cluster.formed();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** The server at this place, beginning with 0. */
  server(at: number): ClusterServer {
    const server = this.servers[at];
    if (!server) throw new Error(`there is no server ${at}`);
    return server;
  }

  /** Returns another server with the id and the settings of the one at this place. It has not been started. */
  twinOf(at: number): ClusterServer {
    const twin = this.#create(at);
    this.#twins.push(twin);
    return twin;
  }

  /** Resolves when each of these servers can send jobs to each other one. */
  async formed(servers: readonly ClusterServer[] = this.servers): Promise<void> {
    for (const server of servers) {
      const others = servers.filter((other) => other !== server).map(({ id }) => id);
      await eventually(
        async () => {
          const peers = await server.peers();
          return others.every((id) => peers.get(id) === "alive");
        },
        `${server.id} knows ${others.join(" and ")}`,
        20_000,
      );
    }
  }

  /** Resolves when each server serves the model. */
  async served(model: string, servers: readonly ClusterServer[] = this.servers): Promise<void> {
    for (const server of servers)
      await eventually(async () => (await server.models()).includes(model), `${server.id} lists ${model}`, 20_000);
  }

  /** Connects a scripted worker to the server at this place. */
  async scriptedWorker(at: number, register: object = {}): Promise<NativeWorker> {
    const worker = await NativeWorker.connect({
      url: this.server(at).url,
      register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1, ...register },
    });
    this.use({ stop: () => worker.close() });
    return worker;
  }

  /** Connects a scripted worker until `dismiss` is called, and waits until all servers serve its model `m`. */
  async workerOfM(at: number, register: object = {}): Promise<NativeWorker> {
    const worker = await this.scriptedWorker(at, register);
    this.#ofM.push(worker);
    await this.served("m");
    return worker;
  }

  /** Disconnects the workers of `workerOfM`; resolves when no server has a worker or a model. */
  async dismiss(): Promise<void> {
    for (const worker of this.#ofM.splice(0)) worker.close();
    const isEmpty = async (server: ClusterServer): Promise<boolean> =>
      (await server.models()).length === 0 && (await server.pool()).workers.length === 0;
    for (const server of this.servers) await eventually(() => isEmpty(server), "no worker is left", 10_000);
  }

  /** Starts a worker in this process that dials the server at this place; resolves when it is registered. */
  async worker(at: number, settings: Partial<WorkerSettings>, options: TestWorkerOptions = {}): Promise<Worker> {
    const shared = { server: this.server(at).url, clientKeys: [CLIENT_KEY], drainTimeoutMs: 0 };
    const worker = startTestWorker({ ...shared, ...settings }, options);
    this.use(worker);
    await worker.registered;
    return worker;
  }

  /**
   * Starts a worker in a process of its own that dials this URL; resolves when it is registered. A process runs 256 fetches at
   * once, so a test with more streams needs its clients and its worker apart.
   */
  async workerProcess(url: string, backend: string, id: string, slots: number): Promise<ProgramRun> {
    const args = ["src/worker/main.ts", "llm", "--server", url, "--backend", backend, "--id", id];
    const run = new ProgramRun(
      [process.execPath, ...args, "--max-concurrency", String(slots)],
      { PATH: process.env["PATH"] ?? "", CLIENT_KEY, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" },
      ROOT,
    );
    this.use({
      stop() {
        run.kill();
        return run.exited;
      },
    });
    await run.event("link.opened");
    return run;
  }

  /** Registers something that is to be stopped before the servers. */
  use<T extends { stop(): unknown }>(running: T): T {
    this.#running.push(running);
    return running;
  }

  /** Starts another nats-server on this port, for servers that were told its address before. */
  async useNatsAt(port: number): Promise<void> {
    this.use(await TestNats.start({ port }));
  }

  async stop(): Promise<void> {
    for (const each of this.#running.splice(0).reverse()) await each.stop();
    await Promise.all([...this.servers, ...this.#twins].map((server) => server.kill().catch(() => {})));
    await this.nats.stop();
  }
}
