import { join } from "node:path";
import { findNatsServer } from "../../src/demo/nats/find-nats-server.ts";
import { NatsServer } from "../../src/demo/nats/nats-server.ts";
import type { Children, Helper } from "../children.ts";
import { cpuMicros, memoryKib } from "../process-reading.ts";
import type { PartResult } from "../report.ts";
import type { PresenceAnswer, PresenceQuestion } from "./presence-server.ts";

const SERVERS = 10;
const WORKERS = 1000;
const MODELS_EACH = 5;
const MODELS = 20;
/** So many slots are taken or given back every 50 ms at each server: 80 in a second, each of a worker with five models. */
const SLOTS = 4;
/** For how long the servers run before anything is measured, so that their code is compiled. */
const WARM_MS = 15_000;

const MOST_PERCENT = 1;
const MOST_NATS_PERCENT = 2;
const MOST_DELAY_MS = 50;
const MOST_START_S = 2;

/** What one way of living cost. */
interface Cost {
  readonly what: string;
  /** Per cent of one core: the mean of the servers, and nats-server. */
  readonly server: number;
  readonly nats: number;
  readonly delays: readonly number[];
}

const NO_COST: Cost = { what: "", server: 0, nats: 0, delays: [] };

/** Measures what it costs ten servers to know who is there and who has what, and how soon they know. */
export async function measureClusterPresence(children: Children, isQuick: boolean): Promise<PartResult> {
  const found = findNatsServer({ onStep: (text) => console.error(text) });
  if (found.kind !== "found") throw new Error("there is no nats-server here");
  const watchMs = isQuick ? 5000 : 20_000;
  const same = await measure(children, found.path, MODELS, watchMs);
  const other = isQuick ? undefined : await measure(children, found.path, 0, watchMs);
  const busiest = same.costs.at(-1) ?? NO_COST;
  const beyond = busiest.server - (same.costs[0] ?? NO_COST).server;
  const late = percentile(busiest.delays, 0.99);
  const many = `${SERVERS} servers × ${WORKERS.toLocaleString("en")} workers × ${MODELS_EACH} models`;
  return {
    goals: [
      {
        what: `${many}, workers that come and go and changing load: CPU of each server beyond what the same costs without other servers`,
        measured: `${beyond.toFixed(2)} % of one core`,
        wanted: `at most ${MOST_PERCENT} %`,
        isMet: beyond <= MOST_PERCENT,
      },
      {
        what: "the same: CPU of nats-server",
        measured: `${busiest.nats.toFixed(2)} % of one core`,
        wanted: `at most ${MOST_NATS_PERCENT} %`,
        isMet: busiest.nats <= MOST_NATS_PERCENT,
      },
      {
        what: "a worker that comes is known to a peer, p99",
        measured: `${late.toFixed(0)} ms`,
        wanted: `at most ${MOST_DELAY_MS} ms`,
        isMet: late <= MOST_DELAY_MS,
      },
      {
        what: `${SERVERS} servers start at once: the last knows all workers`,
        measured: `${same.startS.toFixed(2)} s`,
        wanted: `at most ${MOST_START_S} s`,
        isMet: same.startS <= MOST_START_S,
      },
    ],
    report: {
      title: "Cluster: who is there",
      method:
        `${SERVERS} servers in processes of their own have ${WORKERS.toLocaleString("en")} workers each, without sockets, with ${MODELS_EACH} models and real pools, and tell each other of them over a real nats-server. ` +
        `In the first rows all servers have the same ${MODELS} models, in the last rows 5,000 others each. CPU is read over ${watchMs / 1000} s. A worker's id says when it came.`,
      tables: [
        {
          head: [
            "",
            "each server",
            "nats-server",
            "known after p50 / p99",
            "all known after the start",
            "memory of a server",
          ],
          rows: [same, ...(other ? [other] : [])].flatMap(({ costs, startS, memoryMib }) =>
            costs.map(({ what, server, nats, delays }) => [
              what,
              `${server.toFixed(2)} %`,
              `${nats.toFixed(2)} %`,
              delays.length === 0
                ? "–"
                : `${percentile(delays, 0.5).toFixed(0)} / ${percentile(delays, 0.99).toFixed(0)} ms`,
              `${startS.toFixed(2)} s`,
              `${memoryMib.toFixed(0)} MiB`,
            ]),
          ),
        },
      ],
    },
  };
}

/** A way of living. */
interface Way {
  readonly what: string;
  readonly hasChurn: boolean;
  /** Slots that are taken or given back every 50 ms. */
  readonly slots: number;
}

interface Measured {
  readonly costs: readonly Cost[];
  readonly startS: number;
  readonly memoryMib: number;
}

/** `models`: how many all servers have in common; 0 for other ones at each. */
async function measure(children: Children, program: string, models: number, watchMs: number): Promise<Measured> {
  const nats = await NatsServer.start({ program });
  const servers: Helper[] = [];
  try {
    const script = join(import.meta.dir, "presence-server.ts");
    const starting = Array.from({ length: SERVERS }, (_, at) =>
      children.helper(script, [nats.url, `s${at}`, String(WORKERS), String(models)]),
    );
    servers.push(...(await Promise.all(starting)));
    await askAll(servers, { do: "connect" });
    const name = models === 0 ? "5,000 other models at each server" : `${models} models`;
    const busy = { what: `${name}: all of this`, hasChurn: true, slots: SLOTS };
    const ways: readonly Way[] =
      models === 0
        ? [busy]
        : [
            { what: `${name}: beats alone`, hasChurn: false, slots: 0 },
            { what: "+ one worker leaves and one comes each second", hasChurn: true, slots: 0 },
            { ...busy, what: "+ load of all models changes" },
          ];
    const alone = await watch(
      servers,
      nats,
      { ...busy, what: "the same workers and slots, without other servers" },
      watchMs,
    );
    await askAll(servers, { do: "run", hasChurn: false, slots: 0 });
    const startedAt = performance.timeOrigin + performance.now();
    await askAll(servers, { do: "join" });
    const startS = (await allKnown(servers, startedAt)) / 1000;
    const costs: Cost[] = [alone];
    for (const way of ways) costs.push(await watch(servers, nats, way, watchMs));
    const memoryMib = Math.max(...servers.map(({ pid }) => memoryKib(pid, "now"))) / 1024;
    return { costs, startS, memoryMib };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await nats.stop();
  }
}

/** Lets the servers live in one way for a while. */
async function watch(
  servers: readonly Helper[],
  nats: NatsServer,
  { what, hasChurn, slots }: Way,
  watchMs: number,
): Promise<Cost> {
  await askAll(servers, { do: "run", hasChurn, slots });
  await Bun.sleep(WARM_MS);
  await askAll(servers, { do: "count" });
  const before = servers.map(({ pid }) => cpuMicros(pid));
  const natsBefore = cpuMicros(nats.pid);
  const since = performance.now();
  await Bun.sleep(watchMs);
  const percent = (micros: number): number => micros / 10 / (performance.now() - since);
  const used = servers.map(({ pid }, at) => cpuMicros(pid) - (before[at] ?? 0));
  return {
    what,
    server: percent(used.reduce((sum, each) => sum + each, 0) / SERVERS),
    nats: percent(cpuMicros(nats.pid) - natsBefore),
    delays: (await askAll(servers, { do: "count" })).flatMap(({ delays }) => delays),
  };
}

/** Resolves with the milliseconds until the last server knew all workers of the others. */
async function allKnown(servers: readonly Helper[], startedAt: number): Promise<number> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const answers = await askAll(servers, { do: "count" });
    if (answers.every(({ known }) => known >= (SERVERS - 1) * WORKERS))
      return Math.max(...answers.map(({ grewAt }) => grewAt)) - startedAt;
    if (performance.now() > deadline) throw new Error("the servers do not get to know each other");
    await Bun.sleep(50);
  }
}

function askAll(servers: readonly Helper[], question: PresenceQuestion): Promise<readonly PresenceAnswer[]> {
  return Promise.all(servers.map((server) => server.ask<PresenceAnswer>(question)));
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
