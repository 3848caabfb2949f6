import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type StoreSync } from "../src/store/store.ts";
import { createUsageRows } from "../src/store/usage-rows.ts";
import { systemClock } from "../src/system/clock.ts";
import { silentLog } from "../src/system/log.ts";
import { MemoryUsage } from "../src/usage/memory-usage.ts";
import { type RequestUsage, UsageMeter } from "../src/usage/usage-meter.ts";
import { UsageReader } from "../src/usage/usage-reader.ts";
import type { UsageRecords } from "../src/usage/usage-records.ts";
import type { Children } from "./children.ts";
import { type KeyChats, measureKeyChats } from "./key-chats.ts";
import { median, ratios, spread } from "./numbers.ts";
import type { PartResult } from "./report.ts";
import { watchTurns } from "./turns.ts";

const CELLS = 10_000;
/** The goals for the longest pause, and for what `DATA_DIR` and limits add to a small chat. */
const MAX_PAUSE_MS = 10;
const MAX_RATIO = 1.03;

/** Measures what it costs to count usage: a request, a flush, a question, and a small chat without and with `DATA_DIR` and limits. */
export async function measureUsage(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 3 : 15;
  const adds = measureAdds(rounds);
  const normal = await measurePauses("normal", rounds);
  const full = await measurePauses("full", rounds);
  const chats = await measureKeyChats(children, isQuick);
  const ratio = ratios(chats.stored, chats.memory);
  const limitedRatio = ratios(chats.limited, chats.memory);
  return {
    goals: [
      {
        what: `longest pause of the event loop by a flush of ${CELLS} cells, ms`,
        measured: spread(normal.flush, 1),
        wanted: `≤ ${MAX_PAUSE_MS}`,
        isMet: median(normal.flush) <= MAX_PAUSE_MS,
      },
      {
        what: "server CPU per small chat, usage in DATA_DIR ÷ in memory",
        measured: spread(ratio, 2),
        wanted: `≤ ${MAX_RATIO}`,
        isMet: median(ratio) <= MAX_RATIO,
      },
      {
        what: "server CPU per small chat, limits and usage in DATA_DIR ÷ neither",
        measured: spread(limitedRatio, 2),
        wanted: `≤ ${MAX_RATIO}`,
        isMet: median(limitedRatio) <= MAX_RATIO,
      },
    ],
    report: {
      title: "Usage",
      method:
        `${rounds} rounds after one warm-up round. Each adds a request to each of ${CELLS} cells of keys of their own, and waits until all ` +
        "are written in a database on the disk of the system's temporary directory. A pause is the longest time between two turns of the event loop. " +
        "The question reads all rows of the day's minutes. The first of the small chats are served by one server, and all others by another one. " +
        `${isQuick ? "One pair" : "Three pairs"} of these servers took part, since two processes of the same code differ by some per cent.`,
      tables: [
        {
          head: ["what", "value"],
          rows: [
            [`adding a request, ns, ${CELLS} cells`, spread(adds.many, 0)],
            ["adding a request, ns, 20 cells", spread(adds.few, 0)],
          ],
        },
        {
          head: ["a small chat with", "server CPU, µs", "÷ usage in memory", "÷ a created key without limits"],
          rows: [
            rowOfChats("a key of API_KEY, usage in memory", chats.memory, chats),
            rowOfChats("a key of API_KEY, DATA_DIR", chats.stored, chats),
            rowOfChats("a created key without limits, DATA_DIR", chats.created, chats),
            rowOfChats("a key with every kind of limit, DATA_DIR", chats.limited, chats),
            rowOfChats("the same, in a tenant with every kind of limit", chats.shared, chats),
          ],
        },
        {
          head: [
            "STORE_SYNC",
            "longest pause, ms",
            "whole flush, ms",
            "longest pause of a question, ms",
            "rows read",
            "whole question, ms",
          ],
          rows: [rowOf("normal", normal), rowOf("full", full)],
        },
      ],
    },
  };
}

function usedBy(key: number): RequestUsage {
  return {
    key: `k${key}`,
    model: "llama3:8b-instruct-q4_K_M",
    isFailed: false,
    inputTokens: 1200,
    cachedTokens: 800,
    outputTokens: 240,
    waitMs: 3,
    heldMs: 900,
  };
}

function measureAdds(rounds: number): { readonly few: readonly number[]; readonly many: readonly number[] } {
  const all = Array.from({ length: CELLS }, (_, key) => usedBy(key));
  const time = (cells: number): number => {
    const meter = new UsageMeter({ clock: systemClock, records: new MemoryUsage(), flushMs: 60_000 });
    const used = all.slice(0, cells);
    for (const each of used) meter.add(each);
    const startedAt = Bun.nanoseconds();
    for (let turn = 0; turn < 200_000 / cells; turn += 1) for (const each of used) meter.add(each);
    const cost = (Bun.nanoseconds() - startedAt) / 200_000;
    meter.close();
    return cost;
  };
  const costs = { few: [] as number[], many: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    const [few, many] = [time(20), time(CELLS)];
    if (round > 0) costs.few.push(few);
    if (round > 0) costs.many.push(many);
  }
  return costs;
}

interface Pauses {
  readonly flush: readonly number[];
  readonly whole: readonly number[];
  readonly question: number;
  readonly rows: number;
  readonly questionMs: number;
}

async function measurePauses(sync: StoreSync, rounds: number): Promise<Pauses> {
  const directory = mkdtempSync(join(tmpdir(), "moorage-bench-"));
  const store = openStore(directory, { clock: systemClock, log: silentLog }, sync);
  try {
    return await pausesOf(createUsageRows(store), rounds);
  } finally {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function pausesOf(records: UsageRecords, rounds: number): Promise<Pauses> {
  // Each round is another minute, so that each inserts rows as well as changing those of the hour and the day.
  let minutes = 0;
  const clock = { ...systemClock, now: () => Date.UTC(2026, 10, 27, 12) + minutes * 60_000 };
  const meter = new UsageMeter({ clock, records, flushMs: 1 });
  const [flush, whole]: number[][] = [[], []];
  for (let round = 0; round <= rounds; round += 1) {
    minutes = round;
    for (let key = 0; key < CELLS; key += 1) meter.add(usedBy(key));
    const { longestMs, totalMs } = await watchTurns(() => meter.unwritten().length === 0);
    if (round > 0) flush?.push(longestMs);
    if (round > 0) whole?.push(totalMs);
  }
  const reader = new UsageReader({ clock, meter, records });
  let rows: number | undefined;
  const query = { from: Date.UTC(2026, 10, 27), to: Date.UTC(2026, 10, 28), step: "minute", by: ["model"] } as const;
  void reader.read(query).then((groups) => {
    rows = [...groups.sorted()].reduce((sum, { requests }) => sum + requests, 0);
  });
  const question = await watchTurns(() => rows !== undefined);
  meter.close();
  return {
    flush: flush ?? [],
    whole: whole ?? [],
    question: question.longestMs,
    rows: rows ?? 0,
    questionMs: question.totalMs,
  };
}

function rowOfChats(what: string, own: readonly number[], { memory, created }: KeyChats): string[] {
  return [what, spread(own, 1), spread(ratios(own, memory), 2), spread(ratios(own, created), 2)];
}

function rowOf(sync: StoreSync, { flush, whole, question, rows, questionMs }: Pauses): string[] {
  return [sync, spread(flush, 1), spread(whole, 0), question.toFixed(1), String(rows), questionMs.toFixed(0)];
}
