import { join } from "node:path";
import type { WorkerSettings } from "../../src/worker/args.ts";
import type { Worker } from "../../src/worker/worker.ts";
import { eventually } from "./eventually.ts";
import { NativeWorker } from "./native-worker.ts";
import { TestNats, type TestNatsOptions } from "./nats-server.ts";
import { ProgramRun } from "./program-run.ts";
import { API_KEY, CLIENT_KEY } from "./test-server.ts";
import { startTestWorker, type TestWorkerOptions } from "./test-worker.ts";

const ROOT = join(import.meta.dir, "../..");

export type Env = Readonly<Record<string, string>>;

export interface ClusterOptions {
  /** The number of servers; 3 unless it is given. */
  readonly servers?: number;
  /** Settings of all servers. */
  readonly env?: Env;
  /** Settings of the server at this place, beginning with 0. */
  readonly envOf?: (at: number, nats: TestNats) => Env;
  readonly nats?: TestNatsOptions;
}

/** The settings that all servers have unless a test gives others: short waits, and peers that are noticed quickly. */
const USUAL: Env = { HOST: "127.0.0.1", API_KEY, CLIENT_KEY, DRAIN_TIMEOUT: "20s", CLUSTER_LISTEN: "127.0.0.1:0" };

/** A server of a cluster, in a process of its own (`bun src/main.ts`). It keeps its id and its port while it is down. */
export class ClusterServer {
  readonly id: string;
  readonly #env: Env;
  #run: ProgramRun | undefined;
  #port = 0;

  constructor(id: string, env: Env) {
    this.id = id;
    this.#env = { PATH: process.env["PATH"] ?? "", SERVER_ID: id, ...env };
  }

  /** Starts it; resolves when it listens. `more` replaces settings for this start. */
  async start(more: Env = {}): Promise<void> {
    const run = new ProgramRun(
      [process.execPath, "src/main.ts"],
      { ...this.#env, PORT: String(this.#port), ...more },
      ROOT,
    );
    this.#run = run;
    const started = await Promise.race([run.url(), run.exited]);
    if (typeof started === "number") throw new Error(`${this.id} ended with ${started}: ${await run.output}`);
    this.#port = Number(new URL(started).port);
  }

  /** The process. Throws before the first start. */
  get run(): ProgramRun {
    if (!this.#run) throw new Error(`${this.id} was never started`);
    return this.#run;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends it at once (`kill -9`); resolves when it has gone. */
  async kill(): Promise<void> {
    this.run.kill();
    await this.run.exited;
  }

  /** Halts it without closing its connections (SIGSTOP). */
  freeze(): void {
    this.run.signal("SIGSTOP");
  }

  thaw(): void {
    this.run.signal("SIGCONT");
  }

  /** Ends it in order (SIGTERM); resolves to its exit code. */
  stop(): Promise<number> {
    this.run.signal("SIGCONT");
    return this.run.stop();
  }

  /** Sends a request with the API key. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${API_KEY}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  post(path: string, json: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = { "content-type": "application/json", ...init.headers };
    return this.fetch(path, { method: "POST", body: JSON.stringify(json), ...init, headers });
  }

  chat(model: string, more: object = {}, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "hello" }], ...more }, init);
  }

  /** The names in its list of models. */
  async models(): Promise<readonly string[]> {
    const { data } = (await (await this.fetch("/v1/models")).json()) as { data: readonly { id: string }[] }; // its own tests check this shape
    return data.map(({ id }) => id);
  }
}

/**
 * Several servers and a nats-server, each in a process of its own, with workers in this process or in their own. Everything
 * is on the loopback and on free ports. `stop` ends all of it, whatever state a test has left it in.
 */
export class ClusterProcesses {
  readonly nats: TestNats;
  readonly servers: readonly ClusterServer[];
  readonly #running: { stop(): unknown }[] = [];

  private constructor(nats: TestNats, servers: readonly ClusterServer[]) {
    this.nats = nats;
    this.servers = servers;
  }

  /** Resolves when all servers have found each other. */
  static async start({
    servers: count = 3,
    env = {},
    envOf,
    nats: natsOptions,
  }: ClusterOptions = {}): Promise<ClusterProcesses> {
    const nats = await TestNats.start(natsOptions);
    const servers = Array.from({ length: count }, (_, at) => {
      const own = { ...USUAL, NATS_URL: nats.url, ...env, ...envOf?.(at, nats) };
      return new ClusterServer(`s${at + 1}`, own);
    });
    const cluster = new ClusterProcesses(nats, servers);
    try {
      await Promise.all(servers.map((server) => server.start()));
      await cluster.formed();
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

  /** Resolves when each of these servers can send jobs to each other one. */
  async formed(servers: readonly ClusterServer[] = this.servers): Promise<void> {
    for (const server of servers) {
      const others = servers.filter((other) => other !== server).map(({ id }) => id);
      await eventually(
        async () => {
          const peers = await peersOf(server);
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

  /** Starts a worker in this process that dials the server at this place; resolves when it is registered. */
  async worker(at: number, settings: Partial<WorkerSettings>, options: TestWorkerOptions = {}): Promise<Worker> {
    const shared = { server: this.server(at).url, clientKeys: [CLIENT_KEY], drainTimeoutMs: 0 };
    const worker = startTestWorker({ ...shared, ...settings }, options);
    this.use(worker);
    await worker.registered;
    return worker;
  }

  /** Registers something that is to be stopped before the servers. */
  use<T extends { stop(): unknown }>(running: T): T {
    this.#running.push(running);
    return running;
  }

  async stop(): Promise<void> {
    for (const each of this.#running.splice(0).reverse()) await each.stop();
    await Promise.all(this.servers.map((server) => server.kill().catch(() => {})));
    await this.nats.stop();
  }
}

/** The other servers that a server knows, and what it takes them for. */
export async function peersOf(server: ClusterServer): Promise<ReadonlyMap<string, string>> {
  const state = (await (await server.fetch("/api/state")).json()) as { cluster?: { servers: readonly PeerRow[] } }; // the State API's own tests check this shape
  return new Map((state.cluster?.servers ?? []).map(({ id, state }) => [id, state]));
}

interface PeerRow {
  readonly id: string;
  readonly state: string;
}
