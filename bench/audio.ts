import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Children, Helper } from "./children.ts";
import { curl } from "./curl.ts";
import type { Target } from "./load.ts";
import { startServer, startWorker } from "./moorage.ts";
import {
  GIB,
  MIB,
  measurePassage,
  memoryGoal,
  PASSAGE_HEAD,
  type Passage,
  passageCells,
  ratioGoal,
} from "./passage.ts";
import type { WriteQuestion } from "./plain-write.ts";
import { memoryKib } from "./process-reading.ts";
import type { Goal, PartResult } from "./report.ts";
import { interleave } from "./rounds.ts";

const MOST_OF_BARE = 2;
const MOST_MEMORY_MIB = 48;
const PATH = "/v1/audio/transcriptions";
/** Programs that have just started go on compiling and collecting garbage for a moment. */
const SETTLE_MS = 1000;

interface Subject {
  readonly name: string;
  readonly pid: number;
  /** Moves the bytes once. `secondsBefore` is the time that the previous subject took. */
  run(secondsBefore: number): Promise<void>;
}

interface Form {
  readonly file: string;
  readonly bytes: number;
  readonly order: "model, then file" | "file, then model";
}

/** Measures large audio uploads through the bare relay, and through Moorage with the model before and after the file. */
export async function measureAudio(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 3;
  const bytes = isQuick ? GIB / 4 : GIB;
  const file = join(children.directory, "recording");
  writeFileSync(file, "");
  truncateSync(file, bytes);
  const backend = await children.helper("audio-backend.ts");
  const bare = await children.helper("bare-relay.ts");
  await children.helper("bare-worker.ts", [bare.greeting.url ?? "", backend.greeting.url ?? ""]);
  const usual = await startMoorage(children, backend, {});
  const keepsNothing = await startMoorage(children, backend, { SPOOL_BYTES: "0" });
  const writer = await children.helper("plain-write.ts", [children.directory]);
  await Bun.sleep(SETTLE_MS);
  const idleKib = memoryKib(usual.pid, "now");

  const modelFirst: Form = { file, bytes, order: "model, then file" };
  const fileFirst: Form = { file, bytes, order: "file, then model" };
  const upload = (name: string, { pid, target }: Receiver, form: Form): Subject => {
    const what = `${name}: ${form.order}`;
    return { name: what, pid, run: () => send(children, what, target, form) };
  };
  const bareReceiver: Receiver = { pid: bare.pid, target: { url: `${bare.greeting.url}${PATH}` } };
  // Subjects that write to the disk do not follow each other: the second would reuse the memory of the first one's file.
  const subjects: readonly Subject[] = [
    upload("bare relay", bareReceiver, modelFirst),
    upload("Moorage", usual, modelFirst),
    upload("Moorage without a spool", keepsNothing, modelFirst),
    upload("Moorage", usual, fileFirst),
    {
      name: "no upload: a plain write to a file",
      pid: writer.pid,
      run: (seconds) => plainWrite(writer, bytes, seconds),
    },
  ];
  let seconds = 0;
  const samples = await interleave(subjects, rounds, async ({ pid, run }) => {
    const passage = await measurePassage(pid, bytes, () => run(seconds));
    seconds = bytes / MIB / passage.mibPerSecond;
    return passage;
  });
  const [bareOnes = [], modelFirstOnes = [], unspooledOnes = [], fileFirstOnes = []] = samples;
  const cpuGoal = (what: string, passages: readonly Passage[]): Goal =>
    ratioGoal(`server CPU per GiB of audio, ${what}: Moorage / bare relay`, [passages, bareOnes], "cpu", {
      says: `at most ${MOST_OF_BARE.toFixed(1)} ×`,
      isMet: (ratio) => ratio <= MOST_OF_BARE,
    });
  const aboveIdle = ({ order }: Form, passages: readonly Passage[]): Goal =>
    memoryGoal(
      `server memory during a ${bytes / GIB} GiB audio upload, above idle: ${order}`,
      (Math.max(...passages.map(({ highestKib }) => highestKib)) - idleKib) / 1024,
      MOST_MEMORY_MIB,
    );
  return {
    goals: [
      cpuGoal(modelFirst.order, modelFirstOnes),
      // The bare relay never writes an upload to disk, which is necessary when the model comes last.
      { ...cpuGoal(`${fileFirst.order} (waits on disk)`, fileFirstOnes), wanted: undefined },
      { ...cpuGoal("without a spool", unspooledOnes), wanted: undefined },
      aboveIdle(modelFirst, modelFirstOnes),
      aboveIdle(fileFirst, fileFirstOnes),
    ],
    report: {
      title: "Audio",
      method:
        `A form with a sparse file of ${bytes / GIB} GiB, sent by curl through one worker to a backend that discards it. ${rounds} interleaved rounds, after one warm-up round. ` +
        "The bare relay reads and keeps nothing; Moorage reads the form as it passes. It spools the first 256 MiB of an upload that streams through, so that it can be sent again if a worker is lost, and the whole of an upload that names its model last, which cannot be sent anywhere before; `SPOOL_BYTES=0` switches off the former. " +
        "The last row is a program that only writes as many bytes to a file in the same directory, over the time of the upload before it. It shows what writing a file costs on this machine; the cost is much higher where memory must first be obtained from a host. " +
        `Idle means ${SETTLE_MS / 1000} s after the start, before the first upload.`,
      tables: [
        {
          head: ["upload", ...PASSAGE_HEAD],
          rows: subjects.map(({ name }, at) => [name, ...passageCells(samples[at] ?? [])]),
        },
      ],
    },
  };
}

interface Receiver {
  readonly pid: number;
  readonly target: Target;
}

async function startMoorage(
  children: Children,
  backend: Helper,
  env: Readonly<Record<string, string>>,
): Promise<Receiver> {
  const server = await startServer(children, { SPOOL_DIR: children.directory, ...env });
  await startWorker(children, "asr", server, backend, "bench-worker");
  return { pid: server.pid, target: server.target(PATH) };
}

async function send(children: Children, what: string, target: Target, { file, bytes, order }: Form): Promise<void> {
  const fields = ["model=bench-asr", `file=@${file};type=audio/wav`];
  if (order === "file, then model") fields.reverse();
  const form = fields.flatMap((field) => ["-F", field]);
  const { exitCode, stdout, stderr } = await children.run([...curl(target), ...form, "-w", "\n%{size_upload}"]);
  const [answer = "", sent = ""] = stdout.split("\n");
  if (exitCode === 0 && Number(sent) > bytes && answer.includes(`"text":"${sent}"`)) return;
  throw new Error(`${what}: curl ${exitCode} ${stderr}, ${sent} bytes sent, answer ${answer}`);
}

async function plainWrite(writer: Helper, bytes: number, seconds: number): Promise<void> {
  const question: WriteQuestion = { bytes, seconds };
  await writer.ask(question);
}
