import { type CallTarget, type HeldAnswer, LARGE_BYTES, type SmallAnswer } from "./mcp-calls.ts";
import { median, ratios, spread } from "./numbers.ts";
import { MIB } from "./passage.ts";
import type { Goal, Table } from "./report.ts";

/** The most latency that may be added to a tool call, relative to a chat. */
const MOST_OF_CHAT = 1.5;
/** The most by which held calls may slow down another call. A call that waited for them would never end. */
const MOST_OF_CROWD = 1.5;

/** A path to one of the two upstreams. Each path through the server follows the direct one. */
export interface Way {
  readonly name: string;
  readonly target: CallTarget;
  readonly body: string;
  /** The server's process id; undefined for direct calls. */
  readonly pid: number | undefined;
}

/** The small calls of one round. */
export interface SmallSample extends SmallAnswer {
  /** Microseconds of the server's CPU per call. */
  readonly cpu: number;
}

/** A number of calls that are held at once, and their path. */
export interface Crowd {
  readonly name: string;
  readonly target: CallTarget;
  readonly count: number;
}

function pick<Sample>(samples: readonly Sample[] | undefined, what: (sample: Sample) => number): number[] {
  return (samples ?? []).map(what);
}

function less(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, at) => value - (b[at] ?? Number.NaN));
}

/** The samples are in the order of `smallTable`: each direct path before the other. */
export function smallGoals(samples: readonly (readonly SmallSample[])[]): readonly Goal[] {
  const [directChat, chat, directTool, tool] = samples.map((own) => pick(own, ({ p50 }) => p50));
  const each = ratios(less(tool ?? [], directTool ?? []), less(chat ?? [], directChat ?? []));
  const cpu = ratios(
    pick(samples[3], (sample) => sample.cpu),
    pick(samples[1], (sample) => sample.cpu),
  );
  return [
    {
      what: "added latency: tool call through a relay / chat through a worker",
      measured: `${spread(each, 2)} ×`,
      wanted: `at most ${MOST_OF_CHAT} ×`,
      isMet: median(each) <= MOST_OF_CHAT,
    },
    { what: "server CPU per call: tool call / chat", measured: `${spread(cpu, 2)} ×`, wanted: undefined },
  ];
}

export function smallTable(ways: readonly Way[], samples: readonly (readonly SmallSample[])[]): Table {
  return {
    head: ["small responses", "p50 ms", "p99 ms", "added ms", "server CPU µs/call"],
    rows: ways.map(({ name, pid }, at) => {
      const p50 = pick(samples[at], (sample) => sample.p50);
      const directly = pick(samples[at - 1], (sample) => sample.p50);
      const isDirect = pid === undefined;
      return [
        name,
        spread(p50, 2),
        median(pick(samples[at], ({ p99 }) => p99)).toFixed(2),
        isDirect ? "–" : spread(less(p50, directly), 2),
        isDirect
          ? "–"
          : spread(
              pick(samples[at], ({ cpu }) => cpu),
              0,
            ),
      ];
    }),
  };
}

/** The samples are: one and many direct, then one and many through the relay. */
export function heldGoals(held: number, samples: readonly (readonly HeldAnswer[])[]): readonly Goal[] {
  const [, , one, many] = samples.map((own) => pick(own, ({ meanwhile }) => meanwhile.p50));
  const each = ratios(many ?? [], one ?? []);
  return [
    {
      what: `a call on a relay while ${held} others wait on it / while 1 waits`,
      measured: `${spread(each, 2)} ×`,
      wanted: `at most ${MOST_OF_CROWD} ×`,
      isMet: median(each) <= MOST_OF_CROWD,
    },
  ];
}

export function heldTable(crowds: readonly Crowd[], samples: readonly (readonly HeldAnswer[])[]): Table {
  return {
    head: ["calls held at once", "", "other calls meanwhile, p50 ms", "p99 ms", "from release to last response, ms"],
    rows: crowds.map(({ name, count }, at) => [
      String(count),
      name,
      spread(
        pick(samples[at], ({ meanwhile }) => meanwhile.p50),
        2,
      ),
      median(pick(samples[at], ({ meanwhile }) => meanwhile.p99)).toFixed(2),
      spread(
        pick(samples[at], ({ slowest }) => slowest),
        1,
      ),
    ]),
  };
}

/** The samples are milliseconds: direct, then through the relay. */
export function largeGoal([direct = [], relayed = []]: readonly (readonly number[])[]): Goal {
  const each = ratios(relayed, direct);
  return {
    what: `a result of ${LARGE_BYTES / MIB} MiB: time through the relay / directly`,
    measured: `${spread(each, 1)} ×`,
    wanted: undefined,
  };
}

export function largeTable(samples: readonly (readonly number[])[]): Table {
  return {
    head: [`a result of ${LARGE_BYTES / MIB} MiB`, "ms"],
    rows: ["direct", "through the relay"].map((name, at) => [name, spread(samples[at] ?? [], 0)]),
  };
}
