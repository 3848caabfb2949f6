import type { Children } from "../children.ts";
import type { PartResult } from "../report.ts";
import { measureClusterAudio } from "./audio.ts";
import { measureClusterFaults } from "./faults.ts";
import { measureKeyLimits } from "./key-limits.ts";
import { measureClusterPresence } from "./presence.ts";
import { measureClusterRelay } from "./relay.ts";
import { measureRollingRestart } from "./rolling.ts";

/** Measures what several servers that act as one cost, and what their faults cost. */
export async function measureCluster(children: Children, isQuick: boolean): Promise<PartResult> {
  const parts: PartResult[] = [];
  for (const measure of [
    measureClusterRelay,
    measureClusterAudio,
    measureClusterFaults,
    measureRollingRestart,
    measureClusterPresence,
    measureKeyLimits,
  ]) {
    // Each part starts on a machine without the processes of the one before.
    const own = children.group();
    try {
      parts.push(await measure(own, isQuick));
    } finally {
      await own.stopAll();
    }
  }
  return {
    goals: parts.flatMap(({ goals }) => goals),
    report: {
      title: "Cluster",
      method: parts
        .map(({ report }) => `${report.title.replace("Cluster: ", "").replace(/^./, upper)}: ${report.method}`)
        .join("\n\n"),
      tables: parts.flatMap(({ report }) => report.tables),
    },
  };
}

const upper = (letter: string): string => letter.toUpperCase();
