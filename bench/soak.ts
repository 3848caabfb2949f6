import { readdirSync } from "node:fs";
import type { Children } from "./children.ts";
import { CLIENT_KEY, type MoorageServer, startServer, startWorker } from "./moorage.ts";
import { memoryKib } from "./process-reading.ts";
import type { PartResult } from "./report.ts";
import type { SoakAnswer, SoakQuestion } from "./soak-load.ts";

const TOTAL = 1_000_000;
const STEPS = 10;
const FLAT = 1.1;
/** By then the code is compiled, the history is nearly full, and the allocator has what the peaks of the load need. */
const WARM_STEPS = 2;
/** The interval at which a worker is killed and another started while requests run. */
const LOSS_EVERY_MS = 5000;
/** Time for requests in progress to end, and for cancelled slots to be confirmed free. */
const SETTLE_MS = 15_000;

/** Sends a million requests of all kinds, with clients that leave, workers that are lost, and slow readers. */
export async function measureSoak(children: Children, isQuick: boolean): Promise<PartResult> {
  const total = isQuick ? TOTAL / 20 : TOTAL;
  const server = await startServer(children, { MODEL_GRACE: "1h", START_GRACE: "0s" });
  const backend = await children.helper("soak-backend.ts");
  const start = (id: string) => startWorker(children, "llm", server, backend, id, ["--max-concurrency", "64"]);
  await start("stays");
  await startWorker(children, "asr", server, backend, "listens", ["--max-concurrency", "64"]);
  await children.program(
    ["src/worker/main.ts", "mcp", "--server", server.url, "--url", `${backend.greeting.url}/mcp`, "--id", "tools"],
    { CLIENT_KEY, LOG_FORMAT: "json" },
    "link.opened",
  );
  const load = await children.helper("soak-load.ts");
  let losses = 0;
  let isOver = false;
  const losing = (async () => {
    while (!isOver) {
      const worker = await start("comes-and-goes");
      await Bun.sleep(LOSS_EVERY_MS);
      process.kill(worker.pid, "SIGKILL");
      await worker.stop();
      losses += 1;
    }
  })();

  const atRest: number[] = [];
  const counts = new Map<string, number>();
  const rows: string[][] = [];
  for (let step = 1; step <= STEPS; step += 1) {
    const question: SoakQuestion = { target: server.target(""), count: total / STEPS };
    const answer = await load.ask<SoakAnswer>(question, 15 * 60_000);
    if (answer.wrong) throw new Error(answer.wrong);
    for (const [kind, count] of Object.entries(answer.counts)) counts.set(kind, (counts.get(kind) ?? 0) + count);
    const underWay = mibOf(server.pid);
    // Memory is compared at rest, because requests in progress add to it by chance.
    await Bun.sleep(SETTLE_MS);
    atRest.push(memoryKib(server.pid, "now"));
    rows.push([
      ((step * total) / STEPS).toLocaleString("en"),
      underWay,
      mibOf(server.pid),
      String(openFiles(server.pid)),
    ]);
  }
  isOver = true;
  await losing;
  await Bun.sleep(SETTLE_MS);
  const left = await leftOf(server);
  const growth = (atRest.at(-1) ?? Number.NaN) / (atRest[WARM_STEPS - 1] ?? Number.NaN);
  const millions = total.toLocaleString("en");
  return {
    goals: [
      {
        what: `server memory after ${millions} requests of all kinds / after the first fifth, both at rest`,
        measured: `${growth.toFixed(2)} ×`,
        wanted: `at most ${FLAT} ×`,
        isMet: growth <= FLAT,
      },
      {
        what: "left in the server afterwards: jobs, busy slots, waiting jobs, MCP calls, channels, spooled bytes",
        measured: left.map(([name, value]) => `${name} ${value}`).join(", "),
        wanted: "0 of each",
        isMet: left.every(([, value]) => value === 0),
      },
    ],
    report: {
      title: "Soak",
      method:
        `${millions} requests, 64 at a time, of all kinds in the proportions of the second table, over workers for language models, speech and MCP. A second worker for the language models is killed every ${LOSS_EVERY_MS / 1000} s, ${losses} times in total. ` +
        "Each response is checked; a response that was cut off may be short, but must not look complete.",
      tables: [
        { head: ["requests so far", "server MiB", `${SETTLE_MS / 1000} s later, at rest`, "open files"], rows },
        {
          head: ["kind", "requests"],
          rows: [...counts].sort().map(([kind, count]) => [kind, count.toLocaleString("en")]),
        },
      ],
    },
  };
}

function mibOf(pid: number): string {
  return (memoryKib(pid, "now") / 1024).toFixed(1);
}

/** The gauges that must be 0 when nothing is in progress, from the metrics. */
async function leftOf(server: MoorageServer): Promise<readonly (readonly [string, number])[]> {
  const metrics = await server.get("/metrics");
  const sum = (name: string): number =>
    metrics
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
  return [
    ["jobs", sum("moorage_jobs_in_flight")],
    ["slots", sum("moorage_slots_busy")],
    ["waiting", sum("moorage_queue_length")],
    ["calls", sum("moorage_mcp_in_flight")],
    ["channels", sum("moorage_transfer_channels")],
    ["spooled", sum("moorage_spool_bytes")],
  ];
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
