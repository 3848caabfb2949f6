import { availableParallelism } from "node:os";
import { measureAudio } from "./audio.ts";
import { measureCalls } from "./calls.ts";
import { Children } from "./children.ts";
import { measureCluster } from "./cluster/cluster.ts";
import { measureAgainst } from "./compare.ts";
import { measureEmbeddings } from "./embeddings.ts";
import { measureFair } from "./fair/fair.ts";
import { measureFleet } from "./fleet.ts";
import { measureKeys } from "./keys.ts";
import { measureMcp } from "./mcp.ts";
import { measureMemory } from "./memory.ts";
import { measurePace } from "./pace.ts";
import { measureRelay } from "./relay.ts";
import { type PartResult, renderGoals, renderReport } from "./report.ts";
import { measureSessions } from "./sessions.ts";
import { measureSoak } from "./soak.ts";
import { measureStart } from "./start.ts";
import { measureTransfer } from "./transfer.ts";
import { measureUsage } from "./usage.ts";
import { measureViewers } from "./viewers.ts";
import { measureWarm } from "./warm/warm.ts";

/** `other` is the directory of another checkout, for parts that can compare this one with it. */
type Part = (children: Children, isQuick: boolean, other: string | undefined) => Promise<PartResult>;

const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["relay", measureRelay],
  ["memory", measureMemory],
  ["embeddings", measureEmbeddings],
  ["sessions", measureSessions],
  ["fleet", measureFleet],
  ["pace", measurePace],
  ["audio", measureAudio],
  ["transfer", measureTransfer],
  ["mcp", measureMcp],
  ["viewers", measureViewers],
  ["start", measureStart],
  ["usage", measureUsage],
  ["calls", measureCalls],
  ["keys", measureKeys],
]);

/** Parts that run only when they are named, because they take long. */
const LONG_PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["fair", measureFair],
  ["warm", measureWarm],
  ["cluster", measureCluster],
  ["soak", measureSoak],
]);
const ALL_PARTS: ReadonlyMap<string, Part> = new Map([...PARTS, ...LONG_PARTS]);

/** A run that takes longer than this is broken, and is stopped with everything it started. */
const LIMIT_MS = 40 * 60_000;

async function main(args: readonly string[]): Promise<number> {
  const { names, other } = parseArgs(args);
  if (other !== undefined && names.length === 0) names.push(COMPARISON);
  const unknown = names.filter((name) => !ALL_PARTS.has(name) && name !== COMPARISON);
  if (unknown.length > 0 || process.platform !== "linux") {
    const what =
      unknown.length > 0
        ? `There is no ${unknown.join(", ")}.`
        : "The benchmarks read /proc, so they run on Linux only.";
    console.error(
      `${what}\nusage: bun run bench [--quick] [${[...ALL_PARTS.keys()].join("|")} …]\n` +
        "       bun run bench [--quick] [fair] --against <directory of another checkout>",
    );
    return 2;
  }
  const results: PartResult[] = [];
  let failed = 0;
  const compare: Part = (children, isQuick) => measureAgainst(children, isQuick, other ?? "");
  for (const [name, part] of names.length === 0 ? PARTS : [...ALL_PARTS, [COMPARISON, compare] as const]) {
    if (stop.signal.aborted || (names.length > 0 && !names.includes(name))) continue;
    console.error(`${name} …`);
    const children = new Children();
    try {
      results.push(await Promise.race([part(children, args.includes("--quick"), other), overtime]));
    } catch (error) {
      failed += 1;
      console.error(`${name} failed:`, error);
    } finally {
      await children.stopAll();
    }
  }
  if (results.length === 0) return 1;
  console.log(`Bun ${Bun.version}, ${availableParallelism()} cores.\n`);
  const goals = results.flatMap((result) => result.goals);
  if (goals.length > 0) console.log(`${renderGoals(goals)}\n`);
  for (const { report } of results) console.log(`${renderReport(report)}\n`);
  return failed > 0 ? 1 : 0;
}

/** The name of the part that `--against` asks for. */
const COMPARISON = "comparison";

function parseArgs(args: readonly string[]): { readonly names: string[]; readonly other: string | undefined } {
  const at = args.indexOf("--against");
  const other = at < 0 ? undefined : args[at + 1];
  const names = args.filter((arg, index) => arg !== "--quick" && (at < 0 || (index !== at && index !== at + 1)));
  if (at >= 0 && other === undefined) names.push("--against");
  return { names, other };
}

const stop = new AbortController();
/** Rejects when the run should end, because its time is up or a signal came. */
const overtime = new Promise<never>((_resolve, reject) => {
  stop.signal.addEventListener("abort", () => reject(stop.signal.reason));
});
overtime.catch(() => {}); // The race above handles it; after the run nobody needs to.
setTimeout(() => stop.abort(new Error(`not finished after ${LIMIT_MS / 60_000} minutes`)), LIMIT_MS).unref();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(new Error(signal)));

// Exits explicitly, so that nothing that a broken part still waits for can delay the end.
process.exit(await main(process.argv.slice(2)));
