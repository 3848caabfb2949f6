import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Deps } from "../../system/deps.ts";
import type { Worker } from "../../worker/worker.ts";
import { SAMPLE_CHAT_MODEL, SAMPLE_EMBED_MODEL, type SampleBackend, startSampleBackend } from "../sample-backend.ts";
import { startProgram } from "../start-program.ts";
import { Balancer } from "./balancer.ts";
import { Load } from "./load.ts";
import type { Machine } from "./machine.ts";
import { NatsMachine } from "./nats-machine.ts";
import type { Act } from "./orders.ts";
import { ServerMachine } from "./server-machine.ts";

export interface DemoClusterOptions {
  readonly servers: number;
  /** The nats-server program. */
  readonly nats: string;
  /** The port of the load balancer; any free one is used if it is taken. */
  readonly port: number;
  /** Gets the warnings and errors of the servers' logs. */
  onLine(text: string): void;
}

const WORKERS_PER_SERVER = 2;
const SLOTS = 8;

/** The servers, the nats-server, the balancer, the workers and the clients of the demo. */
export class DemoCluster {
  readonly apiKey = newKey("demo-api");
  readonly clientKey = newKey("demo-worker");
  readonly model = SAMPLE_CHAT_MODEL;
  readonly nats: NatsMachine;
  readonly servers: readonly ServerMachine[];
  readonly load: Load;
  readonly #directory = mkdtempSync(join(tmpdir(), "moorage-demo-"));
  readonly #sample: SampleBackend = startSampleBackend();
  readonly #workers: Worker[] = [];
  readonly #port: number;
  #balancer: Balancer | undefined;

  constructor({ servers, nats, port, onLine }: DemoClusterOptions) {
    this.#port = port;
    this.nats = new NatsMachine(nats, this.#directory);
    this.servers = Array.from({ length: servers }, (_, at) => {
      const name = `s${at + 1}`;
      return new ServerMachine({ name, env: () => this.#settings(name), onLine });
    });
    this.load = new Load({ servers: this.servers, apiKey: this.apiKey, model: this.model });
  }

  /** The processes, in the order of their numbers in the terminal, with nats-server last. */
  get machines(): readonly Machine[] {
    return [...this.servers, this.nats];
  }

  /** The address of the load balancer. */
  get url(): string {
    return this.#balancer?.url ?? "";
  }

  get workers(): number {
    return this.#workers.length;
  }

  /** Starts everything but the load; resolves when all workers are registered. */
  async start(deps: Deps): Promise<void> {
    await this.nats.start();
    await Promise.all(this.servers.map((server) => server.start()));
    this.#balancer = await Balancer.start(this.#port, this.servers).catch(() => Balancer.start(0, this.servers));
    for (let count = 1; count <= this.servers.length * WORKERS_PER_SERVER; count += 1)
      this.#workers.push(this.#startWorker(`demo-worker-${count}`, deps));
    await Promise.all(this.#workers.map((worker) => worker.registered));
  }

  /** Does something to one process, unless its state makes that pointless; resolves when it is done. */
  async act(act: Act, machine: Machine): Promise<void> {
    const { state } = machine;
    switch (act) {
      case "kill":
        return state === "down" ? undefined : machine.kill();
      case "stop":
        return state === "up" || state === "frozen" ? machine.stop() : undefined;
      case "start":
        return state === "down" ? machine.start() : undefined;
      case "restart":
        if (state === "starting" || state === "stopping") return undefined;
        if (state !== "down") await machine.stop();
        return machine.start();
      case "freeze":
        return state === "up" ? machine.freeze() : undefined;
      case "thaw":
        return state === "frozen" ? machine.thaw() : undefined;
      default:
        act satisfies never;
    }
  }

  /** Ends the clients, the workers, the servers and the nats-server, in this order. */
  async stop(): Promise<void> {
    this.load.setClients(0);
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#balancer?.stop();
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.nats.stop();
    await this.#sample.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #settings(name: string): Readonly<Record<string, string>> {
    return {
      API_KEY: this.apiKey,
      CLIENT_KEY: this.clientKey,
      // Operators sign in with it too, so that the demo needs only one key.
      ADMIN_KEY: this.apiKey,
      HOST: "127.0.0.1",
      SERVER_ID: name,
      NATS_URL: this.nats.url,
      CLUSTER_LISTEN: "127.0.0.1:0",
      // Long enough for the balancer and the peers to notice, and for the longest stream of the load.
      DRAIN_DELAY: "1s",
      DRAIN_TIMEOUT: "20s",
      LOG_LEVEL: "info",
    };
  }

  #startWorker(name: string, deps: Deps): Worker {
    const models = `${SAMPLE_CHAT_MODEL},${SAMPLE_EMBED_MODEL}`;
    return startProgram(
      ["llm", "--backend", this.#sample.url, "--models", models, "--name", name, "--max-concurrency", String(SLOTS)],
      this,
      deps,
    );
  }
}

function newKey(prefix: string): string {
  return `${prefix}-${randomBytes(18).toString("base64url")}`;
}
