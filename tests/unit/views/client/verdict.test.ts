import { expect, test } from "bun:test";
import type { Sample } from "../../../../src/state/history.ts";
import type { PoolState } from "../../../../src/state/overview-totals.ts";
import type { Problem } from "../../../../src/state/problems.ts";
import type { ServerState } from "../../../../src/state/server-state.ts";
import { failureText, poolsInUse, toPoolTile, verdictOf } from "../../../../views/client/verdict.ts";

const QUIET = {
  slots_used: 0,
  slots_total: 0,
  waiting: 0,
  workers_idle: 0,
  workers_working: 0,
  workers_not_ready: 0,
  workers_draining: 0,
};

/** A server whose only pool is that of llm, unless others are given. */
function server(
  sample: Partial<Sample>,
  problems: readonly Problem[] = [],
  state: ServerState["state"] = "ready",
  pools?: readonly PoolState[],
) {
  return {
    id: "s1",
    state,
    version: "1",
    started_at: "",
    uptime_s: 1,
    now: "",
    viewers: 1,
    pools: pools ?? [pool("llm", sample.slots_used ?? 0, sample.slots_total ?? 0, sample.waiting ?? 0)],
    problems,
    sample: { ...QUIET, ...sample } as Sample, // the fields that a verdict looks at
  };
}

function pool(plugin: string, slots_used: number, slots_total: number, waiting = 0): PoolState {
  const workers = { idle: 1, working: 0, not_ready: 0, draining: 0 };
  const rate = { tokens_per_s: 0, tokens_estimated: false };
  return { plugin, slots_used, slots_total, waiting, queue_capacity: 100, workers, ...rate };
}

function problem(severity: Problem["severity"]): Problem {
  return { code: "x", severity, plugin: null, about: {}, title: `${severity}!`, advice: "do this", since: "" };
}

const LABELS: Readonly<Record<string, string>> = { llm: "Language models", asr: "Speech to text" };
const labelOf = (plugin: string): string => LABELS[plugin] ?? plugin;

test.each([
  ["room and nobody waiting", server({ slots_used: 1, slots_total: 4 }), "good", "All systems normal."],
  [
    "nearly no room",
    server({ slots_used: 9, slots_total: 10 }),
    "busy",
    "Language models: nearly all slots are in use.",
  ],
  [
    "all slots used and jobs waiting",
    server({ slots_used: 4, slots_total: 4, waiting: 2 }),
    "busy",
    "Language models: all slots are in use, and 2 jobs wait.",
  ],
  [
    "jobs waiting beside free slots",
    server({ slots_used: 1, slots_total: 4, waiting: 2 }),
    "busy",
    "Language models: some jobs wait for a model whose workers are busy.",
  ],
  [
    "a full pool with waiting jobs beside an idle pool",
    server({ slots_used: 4, slots_total: 8, waiting: 100 }, [], "ready", [pool("asr", 0, 4), pool("llm", 4, 4, 100)]),
    "busy",
    "Language models: all slots are in use, and 100 jobs wait.",
  ],
  [
    "a full pool beside an idle pool, and nobody waiting",
    server({ slots_used: 4, slots_total: 8 }, [], "ready", [pool("llm", 4, 4), pool("asr", 0, 4)]),
    "busy",
    "Language models: nearly all slots are in use.",
  ],
  ["nobody there", server({}), "good", "The server is up."],
  [
    "jobs waiting, and not a worker",
    server({ waiting: 2 }),
    "busy",
    "Language models: some jobs wait for a model whose workers are busy.",
  ],
  ["only one worker, and that drained", server({ workers_draining: 1 }), "busy", "The only worker accepts no jobs."],
  [
    "workers of which none takes jobs",
    server({ workers_not_ready: 1, workers_draining: 2, waiting: 3 }),
    "busy",
    "No worker accepts jobs.",
  ],
  ["a warning", server({ slots_total: 4 }, [problem("warning")]), "busy", "1 problem needs attention."],
  ["something to know", server({ slots_total: 4 }, [problem("info")]), "good", "All systems normal."],
  [
    "something critical, whatever else there is",
    server({ waiting: 3 }, [problem("critical"), problem("warning")]),
    "bad",
    "2 problems need attention.",
  ],
  [
    "a server that goes",
    server({ waiting: 3 }, [problem("critical")], "draining"),
    "busy",
    "The server is shutting down.",
  ],
] as const)("the verdict describes %s", (_what, state, tone, title) => {
  expect(verdictOf(state, labelOf)).toMatchObject({ tone, title });
});

test("the verdict states the slots and the queue of each pool, and no sum over them", () => {
  const state = server({ slots_used: 4, slots_total: 8, waiting: 100 }, [], "ready", [
    pool("llm", 4, 4, 100),
    pool("asr", 0, 4),
  ]);
  expect(verdictOf(state, labelOf).detail).toBe(
    "Language models: 4 of 4 slots in use, 100 waiting · Speech to text: 0 of 4 slots in use",
  );
  expect(verdictOf(server({ slots_used: 1, slots_total: 4 }), labelOf).detail).toBe(
    "1 of 4 slots in use; no jobs waiting.",
  );
});

test("a pool's tile says how full it is, and how full its queue", () => {
  expect(toPoolTile(pool("llm", 1, 4), labelOf)).toMatchObject({ label: "Language models", tone: "" });
  expect(toPoolTile(pool("llm", 4, 4), labelOf)).toMatchObject({ tone: "busy", queueText: "no jobs waiting" });
  expect(toPoolTile(pool("llm", 4, 4, 7), labelOf)).toMatchObject({
    tone: "full",
    queueText: "7 of 100 queue places taken",
  });
  expect(poolsInUse([pool("llm", 4, 4), pool("asr", 0, 0), pool("ocr", 0, 0, 1)]).map(({ plugin }) => plugin)).toEqual([
    "llm",
    "ocr",
  ]);
});

test("few failures are counted, and a share is told of enough requests only", () => {
  const minute = (requests: number, failures: number): readonly Sample[] =>
    Array.from({ length: 10 }, (_, at) => ({ ...QUIET, at: at * 1000, requests, failures }) as unknown as Sample);
  expect(failureText([])).toBe("0 %");
  expect(failureText(minute(0.4, 0.1))).toBe("1 of 4");
  expect(failureText(minute(4, 1))).toBe("25 %");
});
