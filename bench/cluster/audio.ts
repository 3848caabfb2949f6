import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Children } from "../children.ts";
import { curl } from "../curl.ts";
import { type MoorageServer, startServer, startWorker } from "../moorage.ts";
import { median, ratios, spread } from "../numbers.ts";
import { GIB, MIB, measurePassage, type Passage } from "../passage.ts";
import type { PartResult } from "../report.ts";
import { interleave } from "../rounds.ts";
import { formed, served, startMember, startNats } from "./rig.ts";

const MOST_CPU = 2.2;
const MOST_MEMORY_MIB = 48;
const PATH = "/v1/audio/transcriptions";

interface Way {
  readonly name: string;
  readonly entry: MoorageServer;
  readonly owner: MoorageServer;
}

interface Sample {
  /** Seconds of both servers' CPU per GiB. */
  readonly cpu: number;
  readonly at: readonly Passage[];
}

/** Measures a large audio upload on one server and over two, in CPU and in memory of each server. */
export async function measureClusterAudio(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 4;
  const bytes = isQuick ? GIB / 4 : GIB;
  const file = join(children.directory, "recording");
  writeFileSync(file, "");
  truncateSync(file, bytes);
  const backend = await children.helper("audio-backend.ts");
  // Without a spool, so that the disk of this machine is not measured.
  const env = { SPOOL_DIR: children.directory, SPOOL_BYTES: "0" };
  const single = await startServer(children, env);
  const nats = await startNats(children);
  const pair = [await startMember(children, nats, "a", env), await startMember(children, nats, "b", env)] as const;
  await formed(pair);
  const ways: readonly Way[] = [
    { name: "one server", entry: single, owner: single },
    { name: "over two servers", entry: pair[0], owner: pair[1] },
  ];
  for (const { owner, entry } of ways) {
    await startWorker(children, "asr", owner, backend, "bench-worker");
    await served(entry, "bench-asr");
  }
  const samples = await interleave(ways, rounds, async ({ name, entry, owner }): Promise<Sample> => {
    const pids = [...new Set([entry.pid, owner.pid])];
    const sent = upload(children, name, entry, file, bytes);
    const at = await Promise.all(pids.map((pid) => measurePassage(pid, bytes, () => sent)));
    return { at, cpu: at.reduce((sum, passage) => sum + passage.cpu, 0) };
  });
  const [local = [], remote = []] = samples;
  const each = ratios(
    remote.map(({ cpu }) => cpu),
    local.map(({ cpu }) => cpu),
  );
  const grown = Math.max(...remote.flatMap(({ at }) => at.map(({ growth }) => growth)));
  return {
    goals: [
      {
        what: "server CPU of an audio upload, over two servers / one server",
        measured: `${spread(each, 2)} ×`,
        wanted: `at most ${MOST_CPU} ×`,
        isMet: median(each) <= MOST_CPU,
      },
      {
        what: "memory that an audio upload over two servers adds, at the server where it grows most",
        measured: `${grown.toFixed(0)} MiB`,
        wanted: `at most ${MOST_MEMORY_MIB} MiB`,
        isMet: grown <= MOST_MEMORY_MIB,
      },
    ],
    report: {
      title: "Cluster: audio",
      method: `A form with a sparse file of ${bytes / MIB} MiB, sent by curl to one server, and to a server that the worker has not dialled. ${rounds} interleaved rounds, after one warm-up round, without a spool.`,
      tables: [
        {
          head: ["upload", "MiB/s", "CPU s/GiB, both servers", "memory added MiB, entry", "and owner"],
          rows: ways.map(({ name }, place) => {
            const own = samples[place] ?? [];
            const added = (which: number): string => {
              const growths = own.flatMap(({ at }) => at[which]?.growth ?? []);
              return growths.length === 0 ? "–" : Math.max(...growths).toFixed(0);
            };
            const speeds = own.flatMap(({ at }) => at[0]?.mibPerSecond ?? []);
            const cpus = own.map(({ cpu }) => cpu);
            return [name, spread(speeds, 0), spread(cpus, 2), added(0), added(1)];
          }),
        },
      ],
    },
  };
}

async function upload(
  children: Children,
  what: string,
  server: MoorageServer,
  file: string,
  bytes: number,
): Promise<void> {
  const form = ["-F", "model=bench-asr", "-F", `file=@${file};type=audio/wav`, "-w", "\n%{size_upload}"];
  const { exitCode, stdout, stderr } = await children.run([...curl(server.target(PATH)), ...form]);
  const [answer = "", sent = ""] = stdout.split("\n");
  if (exitCode === 0 && Number(sent) > bytes && answer.includes(`"text":"${sent}"`)) return;
  throw new Error(`${what}: curl ${exitCode} ${stderr}, ${sent} bytes sent, answer ${answer}`);
}
