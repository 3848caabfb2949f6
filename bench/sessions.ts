import type { Children, Helper } from "./children.ts";
import { measureClaims } from "./claims.ts";
import { measureGrants } from "./grants.ts";
import type { IdleQuestion } from "./idle-workers.ts";
import type { LoadAnswer, LoadQuestion } from "./load.ts";
import { CLIENT_KEY, type MoorageServer, startServer, withCpu } from "./moorage.ts";
import { median, ratios, spread } from "./numbers.ts";
import { memoryKib } from "./process-reading.ts";
import type { PartResult } from "./report.ts";

const FEW = 50;
const MANY = 5000;
const MOST_KIB = 20;
const MOST_RATIO = 2;
/** The numbers of keys that wait while the fair queue is measured. */
const WAITING_KEYS = [0, 10, 100, 1000];
const MOST_GRANT_US = 20;
/** Long enough for the garbage from connecting to be collected, or to show that it is not. */
const SETTLE_MS = 3000;
const CONCURRENCY = 16;
const BODY = JSON.stringify({
  model: "bench-chat",
  messages: [{ role: "user", content: "What floats in a harbour?" }],
});

interface Fleet {
  readonly server: MoorageServer;
  readonly workers: Helper;
}

/** Measures what 5,000 connected workers cost: memory per worker, the choice among them, a request. */
export async function measureSessions(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 3 : 7;
  const requests = isQuick ? 2000 : 5000;
  const claims = measureClaims(FEW, MANY, rounds, isQuick ? 100_000 : 500_000);
  const grants = measureGrants(WAITING_KEYS, rounds, isQuick ? 20_000 : 100_000);
  const load = await children.helper("load.ts");
  const few = await startFleet(children);
  const many = await startFleet(children);
  await connect(few, FEW);
  await connect(many, FEW);
  const before = memoryKib(many.server.pid, "now");
  await connect(many, MANY);
  const after = memoryKib(many.server.pid, "now");
  const kibEach = (after - before) / (MANY - FEW);

  const cpu = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const [size, { server }] of [
      ["few", few],
      ["many", many],
    ] as const) {
      const cost = await costOfRequest(load, server, requests);
      if (round > 0) cpu[size].push(cost);
    }
  }
  const claimRatios = ratios(claims.many, claims.few);
  const cpuRatios = ratios(cpu.many, cpu.few);
  const longest = grants.at(-1)?.us ?? [];
  const many5 = MANY.toLocaleString("en");
  return {
    goals: [
      {
        what: "server memory per idle worker session",
        measured: `${kibEach.toFixed(1)} KiB`,
        wanted: `at most ${MOST_KIB} KiB`,
        isMet: kibEach <= MOST_KIB,
      },
      {
        what: `claim and release of a slot, among ${many5} / among ${FEW}`,
        measured: `${spread(claimRatios, 2)} ×`,
        wanted: `at most ${MOST_RATIO.toFixed(1)} ×`,
        isMet: median(claimRatios) <= MOST_RATIO,
      },
      {
        what: `a job's way through the fair queue with ${WAITING_KEYS.at(-1)} keys waiting`,
        measured: `${spread(longest, 1)} µs`,
        wanted: `at most ${MOST_GRANT_US} µs`,
        isMet: median(longest) <= MOST_GRANT_US,
      },
      {
        what: `server CPU per request with ${many5} sessions / with ${FEW}`,
        measured: `${spread(cpuRatios, 2)} ×`,
        wanted: undefined,
      },
    ],
    report: {
      title: "Sessions",
      method:
        `Native sessions with three models each, opened by another process. The server's resident memory is read with ${FEW} and ${SETTLE_MS / 1000} s after ${many5} were connected. ` +
        `Claims are timed in one process without sockets, and so is the fair queue: the grant of a job, its end, and the arrival of the key's next one. Requests go to a model that all sessions serve, to each session in turn, ${requests} a round. ${rounds} interleaved rounds, after one warm-up round.`,
      tables: [
        {
          head: ["sessions", "server memory MiB", "claim and release ns", "server CPU µs/request"],
          rows: [
            [String(FEW), (before / 1024).toFixed(1), spread(claims.few, 0), spread(cpu.few, 0)],
            [many5, (after / 1024).toFixed(1), spread(claims.many, 0), spread(cpu.many, 0)],
          ],
        },
        {
          head: ["keys waiting", "fair queue µs/job"],
          rows: grants.map(({ keys, us }) => [String(keys), spread(us, 2)]),
        },
      ],
    },
  };
}

async function startFleet(children: Children): Promise<Fleet> {
  const server = await startServer(children);
  return { server, workers: await children.helper("idle-workers.ts", [server.url, CLIENT_KEY]) };
}

async function connect({ workers }: Fleet, sessions: number): Promise<void> {
  const question: IdleQuestion = { sessions };
  await workers.ask(question);
  await Bun.sleep(SETTLE_MS);
}

async function costOfRequest(load: Helper, server: MoorageServer, requests: number): Promise<number> {
  const target = server.target("/v1/chat/completions");
  const question: LoadQuestion = { kind: "requests", target, body: BODY, count: requests, concurrency: CONCURRENCY };
  const { cpu, value } = await withCpu(server.pid, () => load.ask<LoadAnswer>(question));
  if (value.failures > 0) throw new Error(`${value.failures} failures, such as ${value.wrong}`);
  return cpu / requests;
}
