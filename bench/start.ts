import { join } from "node:path";
import { PROGRAMS, type Program } from "../scripts/binaries/build-binary.ts";
import { measureStartUp } from "../scripts/binaries/start-up.ts";
import type { Children } from "./children.ts";
import type { PartResult } from "./report.ts";

const ROOT = join(import.meta.dir, "..");
const MOST_MS = 300;

/** Measures the start-up time of the programs, run from source. */
export async function measureStart(_children: Children, _isQuick: boolean): Promise<PartResult> {
  const times = new Map<Program, number>();
  // Object.keys gives strings; these are the keys of PROGRAMS.
  for (const program of Object.keys(PROGRAMS) as Program[])
    times.set(program, await measureStartUp(program, [process.execPath, PROGRAMS[program].entry], ROOT));
  const server = times.get("moorage-server") ?? Number.NaN;
  return {
    goals: [
      {
        what: "start of the server from source, until /healthz responds",
        measured: `${server.toFixed(0)} ms`,
        wanted: `at most ${MOST_MS} ms`,
        isMet: server <= MOST_MS,
      },
    ],
    report: {
      title: "Start",
      method:
        "The time from the start of the process to the first 200 of `/healthz`, or to the worker's first log line: the median of seven starts. `bun run binaries host` measures the compiled programs in the same way.",
      tables: [
        {
          head: ["program", "start-up time, ms"],
          rows: [...times].map(([program, ms]) => [`bun ${PROGRAMS[program].entry}`, ms.toFixed(0)]),
        },
      ],
    },
  };
}
