import { cpus, freemem, hostname, platform, release, totalmem } from "node:os";

/** Facts that a worker reports about its machine. */
export interface HostFacts {
  readonly hostname: string;
  readonly os_name: string;
  readonly os_version: string;
}

/** The machine's load in whole percent; undefined where the system does not report it. */
export interface HostLoad {
  readonly cpuPercent: number | undefined;
  readonly ramUsedPercent: number | undefined;
}

export function readHostFacts(): HostFacts {
  return { hostname: hostname(), os_name: platform(), os_version: release() };
}

/** Busy and total processor time so far, summed over all cores. */
export interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** Returns a function that measures the load since its previous call, at first since it was created. */
export function createLoadSampler(readTimes: () => CpuTimes = readCpuTimes): () => HostLoad {
  let last = readTimes();
  return () => {
    const now = readTimes();
    const cpuPercent = toPercent(now.busy - last.busy, now.total - last.total);
    last = now;
    return { cpuPercent, ramUsedPercent: toPercent(totalmem() - freemem(), totalmem()) };
  };
}

function readCpuTimes(): CpuTimes {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, total: busy + idle };
}

function toPercent(part: number, whole: number): number | undefined {
  if (!(whole > 0)) return undefined;
  return Math.min(100, Math.max(0, Math.round((part / whole) * 100)));
}
