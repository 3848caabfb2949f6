import { expect, test } from "bun:test";
import type { Sample } from "../../../../src/state/history.ts";
import type { PoolState } from "../../../../src/state/overview-totals.ts";
import type { Problem } from "../../../../src/state/problems.ts";
import type { ServerState } from "../../../../src/state/server-state.ts";
import { poolsInUse, queueText, verdictOf } from "../../../../views/client/verdict.ts";

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

test.each([
  ["room and nobody waiting", server({ slots_used: 1, slots_total: 4 }), "good", "All systems normal."],
  ["nearly no room", server({ slots_used: 9, slots_total: 10 }), "busy", "The pool is nearly full."],
  [
    "all slots used and jobs waiting",
    server({ slots_used: 4, slots_total: 4, waiting: 2 }),
    "busy",
    "The workers are the bottleneck.",
  ],
  [
    "jobs waiting beside free slots",
    server({ slots_used: 1, slots_total: 4, waiting: 2 }),
    "busy",
    "Some jobs are waiting for a model whose workers are busy.",
  ],
  [
    "a full pool with waiting jobs beside an idle pool",
    server({ slots_used: 4, slots_total: 8, waiting: 100 }, [], "ready", [pool("llm", 4, 4, 100), pool("asr", 0, 4)]),
    "busy",
    "The llm workers are the bottleneck.",
  ],
  [
    "a full pool beside an idle pool, and nobody waiting",
    server({ slots_used: 4, slots_total: 8 }, [], "ready", [pool("llm", 4, 4), pool("asr", 0, 4)]),
    "busy",
    "The llm pool is nearly full.",
  ],
  ["nobody there", server({}), "good", "The server is up."],
  [
    "jobs waiting, and not a worker",
    server({ waiting: 2 }),
    "busy",
    "Some jobs are waiting for a model whose workers are busy.",
  ],
  ["only one worker, and that drained", server({ workers_draining: 1 }), "busy", "The only worker accepts no jobs."],
  [
    "workers of which none takes jobs",
    server({ workers_not_ready: 1, workers_draining: 2, waiting: 3 }),
    "busy",
    "No worker accepts jobs.",
  ],
  ["a warning", server({ slots_total: 4 }, [problem("warning")]), "busy", "warning!"],
  ["something to know", server({ slots_total: 4 }, [problem("info")]), "good", "All systems normal."],
  [
    "something critical, whatever else there is",
    server({ waiting: 3 }, [problem("critical"), problem("warning")]),
    "bad",
    "critical!",
  ],
  [
    "a server that goes",
    server({ waiting: 3 }, [problem("critical")], "draining"),
    "busy",
    "The server is shutting down.",
  ],
] as const)("the verdict describes %s", (_what, state, tone, title) => {
  expect(verdictOf(state)).toMatchObject({ tone, title });
});

test("the verdict on a full pool states that pool's slots, not the sum over all pools", () => {
  const state = server({ slots_used: 4, slots_total: 8, waiting: 100 }, [], "ready", [
    pool("llm", 4, 4, 100),
    pool("asr", 0, 4),
  ]);
  expect(verdictOf(state).detail).toBe("100 jobs waiting; 4 of 4 slots in use. More workers or slots would help.");
});

test("the fullest queue is described by its places, and by its plugin where several pools are in use", () => {
  expect(queueText([pool("llm", 1, 4), pool("asr", 0, 4)])).toBe("jobs in the queue");
  expect(queueText([pool("llm", 4, 4, 7), pool("asr", 0, 0)])).toBe("7 of 100 places taken");
  expect(queueText([pool("llm", 4, 4, 7), pool("asr", 4, 4, 90)])).toBe("asr: 90 of 100 places taken");
  expect(poolsInUse([pool("llm", 4, 4), pool("asr", 0, 0), pool("ocr", 0, 0, 1)]).map(({ plugin }) => plugin)).toEqual([
    "llm",
    "ocr",
  ]);
});
