import { readFileSync } from "node:fs";

/** Linux counts process times in hundredths of a second (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** The CPU time of a process so far, of all threads, user and system, in microseconds. It advances in steps of 10 ms. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may contain anything; the fields after it are numbered from 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

/** The resident memory of a process in KiB: the current or the peak value. */
export function memoryKib(pid: number, which: "now" | "peak"): number {
  const name = which === "now" ? "VmRSS" : "VmHWM";
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (!found) throw new Error(`/proc/${pid}/status has no ${name}`);
  return Number(found[1]);
}
