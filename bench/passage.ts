import { median, ratios, spread } from "./numbers.ts";
import { cpuMicros, memoryKib } from "./process-reading.ts";
import type { Goal } from "./report.ts";

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** The interval of memory readings. Shorter peaks may be missed. */
const LOOK_EVERY_MS = 20;

/** The cost of passing many bytes on. */
export interface Passage {
  readonly mibPerSecond: number;
  /** Seconds of the server's CPU per GiB. */
  readonly cpu: number;
  /** The server's peak resident memory in KiB. */
  readonly highestKib: number;
  /** MiB by which the peak exceeds the memory just before. */
  readonly growth: number;
}

/** Measures the process `pid` while `work` moves `bytes` through it. */
export async function measurePassage(pid: number, bytes: number, work: () => Promise<void>): Promise<Passage> {
  const before = memoryKib(pid, "now");
  let highestKib = before;
  const look = setInterval(() => {
    highestKib = Math.max(highestKib, memoryKib(pid, "now"));
  }, LOOK_EVERY_MS);
  const cpuBefore = cpuMicros(pid);
  const startedAt = performance.now();
  try {
    await work();
  } finally {
    clearInterval(look);
  }
  return {
    mibPerSecond: bytes / MIB / ((performance.now() - startedAt) / 1000),
    cpu: (cpuMicros(pid) - cpuBefore) / 1e6 / (bytes / GIB),
    highestKib,
    growth: (highestKib - before) / 1024,
  };
}

/** The headings of the columns that `passageCells` fills. */
export const PASSAGE_HEAD = ["MiB/s", "server CPU s/GiB", "peak memory above that before the round, MiB"];

export function passageCells(passages: readonly Passage[]): string[] {
  return [
    spread(pick(passages, "mibPerSecond"), 0),
    spread(pick(passages, "cpu"), 2),
    Math.max(...pick(passages, "growth")).toFixed(1),
  ];
}

/** A goal for `ours / theirs`, round by round. */
export function ratioGoal(
  what: string,
  [ours, theirs]: readonly [readonly Passage[], readonly Passage[]],
  measure: "cpu" | "mibPerSecond",
  limit: { readonly says: string; readonly isMet: (ratio: number) => boolean },
): Goal {
  const each = ratios(pick(ours, measure), pick(theirs, measure));
  return { what, measured: `${spread(each, 2)} ×`, wanted: limit.says, isMet: limit.isMet(median(each)) };
}

/** A goal for memory above idle, in MiB. */
export function memoryGoal(what: string, mib: number, mostMib: number): Goal {
  return { what, measured: `${mib.toFixed(1)} MiB`, wanted: `at most ${mostMib} MiB`, isMet: mib <= mostMib };
}

function pick(passages: readonly Passage[], name: keyof Passage): number[] {
  return passages.map((passage) => passage[name]);
}
