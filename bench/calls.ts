import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ANONYMOUS } from "../src/auth/caller.ts";
import { CallReader } from "../src/calls/call-reader.ts";
import type { CallRecords } from "../src/calls/call-records.ts";
import { CallTrail } from "../src/calls/call-trail.ts";
import type { EndedMcpCall } from "../src/plugin/ended-calls.ts";
import { createCallRows } from "../src/store/call-rows.ts";
import { openStore } from "../src/store/store.ts";
import { systemClock } from "../src/system/clock.ts";
import { KeyMask } from "../src/system/key-mask.ts";
import { silentLog } from "../src/system/log.ts";
import type { Children, Helper } from "./children.ts";
import { SESSION_HEADERS, startRelay } from "./mcp.ts";
import { type CallQuestion, type CallTarget, type SmallAnswer, toolCall } from "./mcp-calls.ts";
import { type MoorageServer, startServer, withCpu } from "./moorage.ts";
import { median, ratios, spread } from "./numbers.ts";
import type { PartResult } from "./report.ts";
import { interleave } from "./rounds.ts";
import { watchTurns } from "./turns.ts";

/** The goals for what keeping calls adds to a small call, and for the longest pause by a write or a question. */
const MAX_RATIO = 1.05;
const MAX_PAUSE_MS = 10;
/** The calls of one flush, and those that a question looks at. */
const FLUSHED = 3000;
const KEPT = 100_000;

/** Measures what keeping calls of MCP servers costs: a small call without and with it, a flush, and a question. */
export async function measureCalls(children: Children, isQuick: boolean): Promise<PartResult> {
  const samples: Samples = { off: [], memory: [], unkept: [], stored: [] };
  for (let group = 0; group < (isQuick ? 1 : 3); group += 1) {
    const measured = await measureServers(children.group(), isQuick ? 3 : 8, isQuick ? 1000 : 2000);
    for (const name of NAMES) samples[name].push(...measured[name]);
  }
  const pauses = await measurePauses(isQuick ? 3 : 9);
  const memory = ratios(samples.memory, samples.off);
  const stored = ratios(samples.stored, samples.unkept);
  return {
    goals: [
      {
        what: "server CPU per small MCP call, calls kept in DATA_DIR ÷ not kept",
        measured: spread(stored, 2),
        wanted: `≤ ${MAX_RATIO}`,
        isMet: median(stored) <= MAX_RATIO,
      },
      {
        what: `longest pause of the event loop by a flush of ${FLUSHED} calls, ms`,
        measured: spread(pauses.flush, 1),
        wanted: `≤ ${MAX_PAUSE_MS}`,
        isMet: median(pauses.flush) <= MAX_PAUSE_MS,
      },
      {
        what: `longest pause of the event loop by a question that looks at ${KEPT} calls, ms`,
        measured: spread(pauses.question, 1),
        wanted: `≤ ${MAX_PAUSE_MS}`,
        isMet: median(pauses.question) <= MAX_PAUSE_MS,
      },
    ],
    report: {
      title: "Kept MCP calls",
      method:
        "Four servers of the same code, each with a relay to the same plain MCP server, get small tool calls in turns: two in memory and two with `DATA_DIR`, one of each with `MCP_CALLS_KEPT=0`. " +
        `${isQuick ? "One group" : "Three groups"} of such servers took part. Then ${FLUSHED} calls are written into a store that has ${KEPT} already, with the removal of as many, and a question for words that no call has looks at all of them. A pause is the longest time between two turns of the event loop.`,
      tables: [
        {
          head: ["a small call", "calls not kept, server CPU, µs", "calls kept, server CPU, µs", "kept ÷ not kept"],
          rows: [
            ["in memory", spread(samples.off, 1), spread(samples.memory, 1), spread(memory, 2)],
            ["with DATA_DIR", spread(samples.unkept, 1), spread(samples.stored, 1), spread(stored, 2)],
          ],
        },
        {
          head: ["in a store with 100,000 calls", "longest pause, ms", "whole, ms"],
          rows: [
            [`a flush of ${FLUSHED} calls`, spread(pauses.flush, 1), spread(pauses.flushWhole, 0)],
            ["a question", spread(pauses.question, 1), spread(pauses.questionWhole, 0)],
          ],
        },
      ],
    },
  };
}

const NAMES = ["off", "memory", "unkept", "stored"] as const;
type Samples = Readonly<Record<(typeof NAMES)[number], number[]>>;

async function measureServers(children: Children, rounds: number, calls: number): Promise<Samples> {
  const directory = mkdtempSync(join(tmpdir(), "moorage-bench-"));
  try {
    const backend: Helper = await children.helper("mcp-backend.ts");
    const load = await children.helper("mcp-load.ts");
    const start = async (env: Readonly<Record<string, string>>): Promise<MoorageServer> => {
      const server = await startServer(children, env);
      await startRelay(children, server, backend);
      return server;
    };
    const servers = [
      await start({ MCP_CALLS_KEPT: "0" }),
      await start({}),
      await start({ DATA_DIR: join(directory, "unkept"), MCP_CALLS_KEPT: "0" }),
      await start({ DATA_DIR: join(directory, "stored") }),
    ];
    const ask = (server: MoorageServer, count: number): Promise<SmallAnswer> => {
      const target: CallTarget = { url: `${server.url}/api/mcp/id/bench/mcp`, headers: SESSION_HEADERS };
      const question: CallQuestion = { kind: "small", target, body: toolCall("small", { question: "?" }), count };
      return load.ask<SmallAnswer>(question);
    };
    for (const server of servers) await ask(server, 2 * calls);
    const [off = [], memory = [], unkept = [], stored = []] = await interleave(servers, rounds, async (server) => {
      const { cpu } = await withCpu(server.pid, () => ask(server, calls));
      return cpu / calls;
    });
    return { off, memory, unkept, stored };
  } finally {
    await children.stopAll();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Pauses {
  readonly flush: readonly number[];
  readonly flushWhole: readonly number[];
  readonly question: readonly number[];
  readonly questionWhole: readonly number[];
}

const CALL: EndedMcpCall = {
  requestId: "01JDQ7Z6Y0V3K5T8M2R4N6P8QA",
  caller: { ...ANONYMOUS, address: "198.51.100.7", route: "/api/mcp/id/:relay_id/mcp" },
  relayId: "files-of-the-team",
  server: undefined,
  method: "tools/call",
  name: "read_text_file",
  called: undefined,
  outcome: "completed",
  reason: undefined,
  rpcCode: undefined,
  status: 200,
  durationMs: 14,
  bytesIn: 180,
  bytesOut: 700,
};

async function measurePauses(rounds: number): Promise<Pauses> {
  const directory = mkdtempSync(join(tmpdir(), "moorage-bench-"));
  const store = openStore(directory, { clock: systemClock, log: silentLog });
  const rows = createCallRows(store);
  /** Whether calls are kept beyond the bounds. */
  let isMore = false;
  const records: CallRecords = {
    ...rows,
    prune(bounds, limit) {
      isMore = rows.prune(bounds, limit);
      return isMore;
    },
  };
  const trail = new CallTrail({
    clock: systemClock,
    log: silentLog,
    records,
    mask: new KeyMask(),
    kept: KEPT,
    flushMs: 1,
  });
  const reader = new CallReader({ clock: systemClock, records, unwritten: () => [] });
  const pauses = {
    flush: [] as number[],
    flushWhole: [] as number[],
    question: [] as number[],
    questionWhole: [] as number[],
  };
  let added = 0;
  const add = async (count: number) => {
    for (let at = 0; at < count; at += 1) trail.add(CALL);
    added += count;
    isMore = true;
    return watchTurns(() => records.lastId() === added && !isMore);
  };
  try {
    while (added < KEPT) await add(FLUSHED);
    for (let round = 0; round < rounds; round += 1) {
      const flush = await add(FLUSHED);
      pauses.flush.push(flush.longestMs);
      pauses.flushWhole.push(flush.totalMs);
      let isRead = false;
      void reader.read({ words: ["nowhere"] }, undefined, 100).then(() => {
        isRead = true;
      });
      const question = await watchTurns(() => isRead);
      pauses.question.push(question.longestMs);
      pauses.questionWhole.push(question.totalMs);
    }
    return pauses;
  } finally {
    trail.close();
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
