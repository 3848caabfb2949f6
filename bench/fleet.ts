import type { Children, Helper } from "./children.ts";
import type { DropAnswer, DropQuestion, IdleQuestion } from "./idle-workers.ts";
import type { ManyStreamsAnswer } from "./many-streams.ts";
import { API_KEY, CLIENT_KEY, type MoorageServer, startServer, withCpu } from "./moorage.ts";
import { memoryKib } from "./process-reading.ts";
import type { PartResult } from "./report.ts";

const MOST_KIB = 20;
/** Per cent of one core. */
const MOST_PERCENT = 3;
const BACK_WITHIN_S = 30;
/** The number of streams that run while the fleet disconnects and returns, each with a chunk every 50 ms. */
const STREAMS = 50;
const MOST_GAP_MS = 250;
const SETTLE_MS = 5000;

/** Measures what 10,000 idle workers cost, and what happens when all of them lose their connections at once. */
export async function measureFleet(children: Children, isQuick: boolean): Promise<PartResult> {
  const sessions = isQuick ? 2000 : 10_000;
  const watchMs = isQuick ? 15_000 : 60_000;
  const server = await startServer(children);
  const fleet = await children.helper("idle-workers.ts", [server.url, CLIENT_KEY]);
  await connect(fleet, 50);
  const before = memoryKib(server.pid, "now");
  const alone = await percentOf(server, watchMs);
  await connect(fleet, sessions);
  const kibEach = (memoryKib(server.pid, "now") - before) / (sessions - 50);
  const beating = (await percentOf(server, watchMs)) - alone;

  const streams = await children.helper("many-streams.ts", [server.url, CLIENT_KEY, API_KEY, String(STREAMS)]);
  await Bun.sleep(2000);
  await streams.ask<ManyStreamsAnswer>({});
  await Bun.sleep(10_000);
  const calm = await streams.ask<ManyStreamsAnswer>({});
  const question: DropQuestion = { drop: true };
  const dropped = await fleet.ask<DropAnswer>(question, 120_000);
  await Bun.sleep(1000);
  const stormy = await streams.ask<ManyStreamsAnswer>({});
  const many = sessions.toLocaleString("en");
  return {
    goals: [
      {
        what: `server memory per idle worker, of ${many}`,
        measured: `${kibEach.toFixed(1)} KiB`,
        wanted: `at most ${MOST_KIB} KiB`,
        isMet: kibEach <= MOST_KIB,
      },
      {
        what: `server CPU for the heartbeats of ${many} idle workers`,
        measured: `${beating.toFixed(1)} % of one core`,
        wanted: `at most ${MOST_PERCENT} %`,
        isMet: beating <= MOST_PERCENT,
      },
      {
        what: `${many} workers dropped at once: time until the last is back`,
        measured: `${(dropped.allMs / 1000).toFixed(1)} s`,
        wanted: `at most ${BACK_WITHIN_S} s`,
        isMet: dropped.allMs <= BACK_WITHIN_S * 1000,
      },
      {
        what: "longest gap in any of 50 streams meanwhile, with a chunk every 50 ms",
        measured: `${stormy.longestGap.toFixed(0)} ms (${calm.longestGap.toFixed(0)} ms before)`,
        wanted: `at most ${MOST_GAP_MS} ms`,
        isMet: stormy.longestGap <= MOST_GAP_MS,
      },
    ],
    report: {
      title: "Fleet",
      method:
        `${many} native sessions from one other process, as under Sessions. The server pings each every 15 s. Memory is read ${SETTLE_MS / 1000} s after the last has connected, CPU over ${watchMs / 1000} s, minus that with 50 sessions. ` +
        `Then all connections break at once without a close frame, and each worker dials again by the usual rule, while ${STREAMS} streams run from another process.`,
      tables: [
        {
          head: ["all dropped at once", "half are back", "all are back", "dialled"],
          rows: [
            [
              many,
              `${(dropped.halfMs / 1000).toFixed(1)} s`,
              `${(dropped.allMs / 1000).toFixed(1)} s`,
              dropped.dialled.toLocaleString("en"),
            ],
          ],
        },
        {
          head: ["50 streams", "chunks", "gap p50 ms", "p99 ms", "longest ms"],
          rows: [
            ["before", ...gapCells(calm)],
            ["while the fleet returns", ...gapCells(stormy)],
          ],
        },
      ],
    },
  };
}

export function gapCells({ chunks, p50Gap, p99Gap, longestGap }: ManyStreamsAnswer): string[] {
  return [chunks.toLocaleString("en"), p50Gap.toFixed(0), p99Gap.toFixed(0), longestGap.toFixed(0)];
}

async function connect(fleet: Helper, sessions: number): Promise<void> {
  const question: IdleQuestion = { sessions };
  await fleet.ask(question, 120_000);
  await Bun.sleep(SETTLE_MS);
}

async function percentOf(server: MoorageServer, ms: number): Promise<number> {
  const { cpu } = await withCpu(server.pid, () => Bun.sleep(ms));
  return (cpu / (ms * 1000)) * 100;
}
