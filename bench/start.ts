import { measureStartUp, type Started } from "../scripts/binaries/start-up.ts";
import { ownCommand } from "../src/system/own-program.ts";
import type { Children } from "./children.ts";
import type { PartResult } from "./report.ts";

const MOST_MS = 300;

/** Measures the start-up time of the programs, run from source. */
export async function measureStart(_children: Children, _isQuick: boolean): Promise<PartResult> {
  const { words, cwd } = ownCommand();
  const times = new Map<Started, number>();
  for (const command of ["serve", "worker"] satisfies Started[])
    times.set(command, await measureStartUp(command, words, cwd));
  const server = times.get("serve") ?? Number.NaN;
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
        "The time from the start of the process to the first 200 of `/healthz`, or to the worker's first log line: the median of seven starts. `bun run binaries host` measures the compiled program in the same way.",
      tables: [
        {
          head: ["program", "start-up time, ms"],
          rows: [...times].map(([command, ms]) => [`moorage ${command}`, ms.toFixed(0)]),
        },
      ],
    },
  };
}
