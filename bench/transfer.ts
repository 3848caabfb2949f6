import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Children, Ended } from "./children.ts";
import { curl } from "./curl.ts";
import type { Target } from "./load.ts";
import { API_KEY, type MoorageServer, startServer } from "./moorage.ts";
import { GIB, measurePassage, memoryGoal, PASSAGE_HEAD, type Passage, passageCells, ratioGoal } from "./passage.ts";
import { memoryKib } from "./process-reading.ts";
import type { Goal, PartResult, Table } from "./report.ts";
import { interleave } from "./rounds.ts";

const MOST_OF_BARE = 1.25;
const MOST_MEMORY_MIB = 32;
/** A server that has just started goes on compiling and collecting garbage for a moment. */
const SETTLE_MS = 1000;

interface Subject {
  readonly name: string;
  readonly pid: number;
  /** The target of one transfer: the writer sends POST, and the reader GET. */
  open(): Promise<Target>;
}

type Way = "chunked" | "sized";
const WAYS: readonly Way[] = ["chunked", "sized"];

/** Measures bytes from curl to curl: through the bare hand-over, Moorage and piping-server. */
export async function measureTransfer(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 5;
  const bytes = isQuick ? GIB / 4 : GIB;
  const longBytes = isQuick ? GIB : 8 * GIB;
  const file = join(children.directory, "sparse");
  writeFileSync(file, "");
  truncateSync(file, bytes);
  const bare = await startBare(children);
  const moorage = await startMoorage(children);
  const piping = await startPiping(children);
  const subjects = [bare, moorage, ...(piping ? [piping] : [])];

  const samples = new Map<Way, Passage[][]>();
  for (const way of WAYS) {
    const write = (target: Target): Promise<Ended> =>
      way === "sized" ? writeFile(children, target, file) : writeZeros(children, target, bytes);
    samples.set(way, await interleave(subjects, rounds, (subject) => transfer(children, subject, bytes, write)));
  }
  const fresh = await startMoorage(children);
  await Bun.sleep(SETTLE_MS);
  const idleKib = memoryKib(fresh.pid, "now");
  const long = await transfer(children, fresh, longBytes, (target) => writeZeros(children, target, longBytes));
  const longMib = (long.highestKib - idleKib) / 1024;
  return {
    goals: [
      ...WAYS.flatMap((way) => goals(way, samples.get(way) ?? [])),
      memoryGoal(`server memory while ${longBytes / GIB} GiB pass, above idle`, longMib, MOST_MEMORY_MIB),
    ],
    report: {
      title: "Transfer",
      method:
        `${bytes / GIB} GiB from curl to curl, with the reader first: \`head -c … /dev/zero | curl -X POST -T -\` (chunked), and a sparse file with a declared length (sized). ` +
        `${rounds} interleaved rounds, after one warm-up round. The bare hand-over is \`bench/bare-transfer.ts\`: a request body through a counting TransformStream into ` +
        `the response. piping-server is the npm package, on Node. The ${longBytes / GIB} GiB are sent chunked through a server that has just started; idle means ${SETTLE_MS / 1000} s after its start.`,
      tables: WAYS.map((way) => table(way, subjects, samples.get(way) ?? [], piping !== undefined)),
    },
  };
}

function goals(way: Way, [bare = [], moorage = [], piping]: readonly Passage[][]): Goal[] {
  const cpu = `server CPU per GiB, ${way}: Moorage /`;
  const own = ratioGoal(`${cpu} bare hand-over`, [moorage, bare], "cpu", {
    says: `at most ${MOST_OF_BARE} ×`,
    isMet: (ratio) => ratio <= MOST_OF_BARE,
  });
  if (!piping) return [own];
  return [
    own,
    ratioGoal(`${cpu} piping-server`, [moorage, piping], "cpu", { says: "below 1 ×", isMet: (ratio) => ratio < 1 }),
    ratioGoal(`throughput, ${way}: Moorage / piping-server`, [moorage, piping], "mibPerSecond", {
      says: "at least 1 ×",
      isMet: (ratio) => ratio >= 1,
    }),
  ];
}

function table(way: Way, subjects: readonly Subject[], samples: readonly Passage[][], hasNode: boolean): Table {
  const rows = subjects.map(({ name }, at) => [name, ...passageCells(samples[at] ?? [])]);
  if (!hasNode)
    rows.push(["piping-server", "not measured: no `node` in PATH", ...PASSAGE_HEAD.slice(1).map(() => "–")]);
  return { head: [way, ...PASSAGE_HEAD], rows };
}

async function startBare(children: Children): Promise<Subject> {
  const { pid, greeting } = await children.helper("bare-transfer.ts");
  return { name: "bare hand-over", pid, open: async () => ({ url: greeting.url ?? "" }) };
}

async function startMoorage(children: Children): Promise<Subject> {
  const server = await startServer(children);
  return { name: "Moorage", pid: server.pid, open: () => createChannel(server) };
}

async function createChannel(server: MoorageServer): Promise<Target> {
  const headers = { authorization: `Bearer ${API_KEY}` };
  const response = await fetch(`${server.url}/api/transfer`, { method: "POST", headers });
  if (!response.ok) throw new Error(`no channel: status ${response.status}`);
  const { channel_id } = (await response.json()) as { channel_id: string }; // A response without one makes curl fail.
  return server.target(`/api/transfer/${channel_id}`);
}

/** Undefined if there is no Node to run it. */
async function startPiping(children: Children): Promise<Subject | undefined> {
  const node = Bun.which("node");
  if (!node) return undefined;
  const port = await freePort();
  const program = Bun.fileURLToPath(import.meta.resolve("piping-server/dist/src/index.js"));
  const args = ["--host", "127.0.0.1", "--http-port", String(port)];
  const { pid } = await children.other([node, program, ...args], "Listen HTTP");
  let count = 0;
  return {
    name: "piping-server",
    pid,
    async open() {
      count += 1;
      return { url: `http://127.0.0.1:${port}/bench-${count}` };
    },
  };
}

/** piping-server does not report its port, so it must be given one. */
async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function transfer(
  children: Children,
  subject: Subject,
  bytes: number,
  write: (target: Target) => Promise<Ended>,
): Promise<Passage> {
  const target = await subject.open();
  const reading = children.run([...curl(target), "-o", "/dev/null", "-w", "%{size_download}"]);
  await Bun.sleep(READER_FIRST_MS);
  return measurePassage(subject.pid, bytes, async () => {
    const [reader, writer] = await Promise.all([reading, write(target)]);
    const isWhole = reader.exitCode === 0 && writer.exitCode === 0 && Number(reader.stdout) === bytes;
    if (isWhole) return;
    const said = `writer ${writer.exitCode} ${writer.stderr}, reader ${reader.exitCode} ${reader.stderr}`;
    throw new Error(`${subject.name}: ${reader.stdout} of ${bytes} bytes arrived; ${said}`);
  });
}

/** Long enough for curl to connect, so that only the transfer is timed. */
const READER_FIRST_MS = 100;

function writeZeros(children: Children, target: Target, bytes: number): Promise<Ended> {
  const pipeline = `head -c ${bytes} /dev/zero | "$@"`;
  return children.run(["sh", "-c", pipeline, "sh", ...curl(target), "-X", "POST", "-T", "-", "-o", "/dev/null"]);
}

function writeFile(children: Children, target: Target, file: string): Promise<Ended> {
  return children.run([...curl(target), "-X", "POST", "-T", file, "-o", "/dev/null"]);
}
