import { createInterface } from "node:readline";
import { systemClock } from "../../system/clock.ts";
import type { Deps } from "../../system/deps.ts";
import { systemIds } from "../../system/ids.ts";
import { launcherWords } from "../../system/launcher.ts";
import { silentLog } from "../../system/log.ts";
import { surviveSignals } from "../../system/signals.ts";
import { findNatsServer } from "../nats/find-nats-server.ts";
import { DemoCluster } from "./cluster.ts";
import type { LoadFigures } from "./load.ts";
import type { Machine } from "./machine.ts";
import { type Act, isDisturbing, type Order, parseOrder, type Target } from "./orders.ts";
import { actText, beginText, clusterGuide, fateText, helpText, lossText, noNatsText, statusText } from "./texts.ts";

const USUAL_PORT = 8080;
const STREAMS = 16;
const EXIT_UNAVAILABLE = 69;
const say = (text: string): void => void process.stdout.write(text);

/** Runs the demo of a cluster until a signal, the end of its input or the word `quit` ends it. */
export async function runClusterDemo(servers: number): Promise<void> {
  surviveSignals();
  const nats = findNatsServer({ onStep: (text) => say(`${text}\n`) });
  if (nats.kind === "missing") {
    process.stderr.write(noNatsText(nats.tried));
    process.exit(EXIT_UNAVAILABLE);
  }
  const cluster = new DemoCluster({
    servers,
    nats: nats.path,
    port: Number(process.env["PORT"] ?? USUAL_PORT),
    onLine: (text) => say(`${text}\n`),
  });
  const terminal = new Terminal(cluster);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => terminal.quit());
  say(`Starting nats-server ${nats.version} and ${servers} servers.\n`);
  const deps: Deps = { clock: systemClock, ids: systemIds, log: silentLog };
  try {
    await cluster.start(deps);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    await cluster.stop();
    process.exit(1);
  }
  cluster.load.setClients(STREAMS);
  const { url, apiKey, clientKey, model, workers } = cluster;
  const facts = { url, apiKey, clientKey, model, workers, servers: cluster.servers, streams: STREAMS };
  say(clusterGuide({ ...facts, launcher: launcherWords(process.env), nats: `${nats.version} (from ${nats.from})` }));
  terminal.open();
}

/** How often the terminal checks whether streams were lost. */
const LOOK_EVERY_MS = 1000;

/** Carries out the typed commands, and reports what becomes of the streams. */
class Terminal {
  readonly #cluster: DemoCluster;
  #seen: LoadFigures;
  #isEnding = false;
  #isRolling = false;

  constructor(cluster: DemoCluster) {
    this.#cluster = cluster;
    this.#seen = cluster.load.figures;
  }

  open(): void {
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    const lines = createInterface({ input: process.stdin });
    lines.on("line", (line) => void this.#take(line));
    // Without a terminal, the demo runs until it gets a signal.
    if (process.stdin.isTTY) lines.on("close", () => this.quit());
  }

  quit(): void {
    if (this.#isEnding) process.exit(1);
    this.#isEnding = true;
    say("\nStopping.\n");
    void this.#cluster.stop().then(() => process.exit(0));
  }

  async #take(line: string): Promise<void> {
    const order = parseOrder(line, this.#cluster.servers.length);
    try {
      await this.#obey(order);
    } catch (error) {
      say(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  async #obey(order: Order): Promise<void> {
    const { servers, nats, load, machines } = this.#cluster;
    switch (order.kind) {
      case "act": {
        const machine = order.target === "nats" ? nats : servers[order.target - 1];
        if (machine === undefined) return;
        return this.#act(order.act, order.target, machine);
      }
      case "roll":
        return this.#roll();
      case "load":
        return load.setClients(order.streams);
      case "status":
        return say(statusText(machines, load.figures));
      case "help":
        return say(helpText);
      case "quit":
        return this.quit();
      case "nothing":
        return;
      case "fault":
        return say(`${order.text}\n`);
      default:
        order satisfies never;
    }
  }

  async #act(act: Act, target: Target, machine: Machine): Promise<void> {
    const { load } = this.#cluster;
    const streams = target === "nats" ? undefined : load.figures.runningAt[target - 1];
    say(beginText(act, machine, streams) ?? "");
    const fate = isDisturbing(act, machine) ? load.fate() : undefined;
    await this.#cluster.act(act, machine);
    say(actText(act, target, machine));
    void fate?.then((ends) => {
      if (!this.#isEnding) say(fateText(`${act} ${target}`, ends) ?? "");
    });
  }

  async #roll(): Promise<void> {
    if (this.#isRolling) return say("The servers are being restarted already.\n");
    this.#isRolling = true;
    try {
      for (const [at, server] of this.#cluster.servers.entries()) await this.#act("restart", at + 1, server);
    } finally {
      this.#isRolling = false;
    }
  }

  #look(): void {
    const now = this.#cluster.load.figures;
    const loss = lossText(this.#seen, now);
    this.#seen = now;
    if (loss !== undefined && !this.#isEnding) say(loss);
  }
}
