import type { Children } from "./children.ts";
import type { LoadAnswer, LoadQuestion, Target } from "./load.ts";
import { startServer, startWorker, withCpu } from "./moorage.ts";
import { median, ratios, spread } from "./numbers.ts";
import { memoryKib } from "./process-reading.ts";
import { CONCURRENCY, chatStreams, GAP_MS, PATH, STREAMS, smallChats } from "./relay-load.ts";
import type { Goal, PartResult, Table } from "./report.ts";
import { interleave } from "./rounds.ts";

/** How much more CPU than the bare relay Moorage may take. */
const MOST = 1.5;

interface Subject {
  readonly name: string;
  readonly target: Target;
  /** The process between client and worker; undefined if the backend is called directly. */
  readonly pid: number | undefined;
}

interface Sample {
  readonly answer: LoadAnswer;
  /** Microseconds of CPU per request, or per event of a stream. */
  readonly cpu: number;
}

/** Measures small chats and streams: direct, through the bare relay, and through Moorage. */
export async function measureRelay(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 7;
  const requests = isQuick ? 2000 : 8000;
  const chunks = isQuick ? 100 : 300;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const bare = await children.helper("bare-relay.ts");
  await children.helper("bare-worker.ts", [bare.greeting.url ?? "", backend.greeting.url ?? ""]);
  const server = await startServer(children);
  await startWorker(children, "llm", server, backend, "bench-worker", ["--max-concurrency", "256"]);

  const subjects: readonly Subject[] = [
    { name: "backend, direct", target: { url: `${backend.greeting.url}${PATH}` }, pid: undefined },
    { name: "bare relay", target: { url: `${bare.greeting.url}${PATH}` }, pid: bare.pid },
    { name: "Moorage", target: server.target(PATH), pid: server.pid },
  ];
  const ask = async (subject: Subject, question: LoadQuestion): Promise<Sample> => {
    const pid = subject.pid ?? backend.pid;
    const { cpu, value } = await withCpu(pid, () => load.ask<LoadAnswer>(question, 120_000));
    if (value.failures > 0) throw new Error(`${subject.name}: ${value.failures} failures, such as ${value.wrong}`);
    return { answer: value, cpu: cpu / (question.kind === "requests" ? requests : value.events) };
  };
  const small = await interleave(subjects, rounds, (subject) => ask(subject, smallChats(subject.target, requests)));
  const streamed = await interleave(subjects, rounds, (subject) => ask(subject, chatStreams(subject.target, chunks)));
  return {
    goals: [
      goal("server CPU per small chat request, Moorage / bare relay", small),
      goal("server CPU per streamed chunk, Moorage / bare relay", streamed),
    ],
    report: {
      title: "Relay",
      method:
        `${rounds} interleaved rounds, after one warm-up round. A round is ${requests} small chat requests, ${CONCURRENCY} at a time, and ` +
        `${STREAMS} event streams of ${chunks} chunks ${GAP_MS} ms apart. The figures are medians over the rounds, with ranges in parentheses.`,
      tables: [smallTable(subjects, small), streamTable(subjects, streamed)],
    },
  };

  function smallTable(of: readonly Subject[], samples: readonly Sample[][]): Table {
    return {
      head: ["small chat", "requests/s", "server CPU µs/request", "first byte p50 ms", "p99 ms", "peak memory MiB"],
      rows: of.map((subject, at) => {
        const own = samples[at] ?? [];
        return [
          subject.name,
          spread(
            own.map(({ answer }) => requests / answer.seconds),
            0,
          ),
          subject.pid === undefined
            ? "–"
            : spread(
                own.map(({ cpu }) => cpu),
                0,
              ),
          ...firstByteCells(own),
          (memoryKib(subject.pid ?? backend.pid, "peak") / 1024).toFixed(0),
        ];
      }),
    };
  }
}

function goal(what: string, [, bare = [], moorage = []]: readonly Sample[][]): Goal {
  const cpu = (samples: readonly Sample[]): number[] => samples.map((sample) => sample.cpu);
  const each = ratios(cpu(moorage), cpu(bare));
  return {
    what,
    measured: `${spread(each, 2)} ×`,
    wanted: `at most ${MOST.toFixed(1)} ×`,
    isMet: median(each) <= MOST,
  };
}

function streamTable(subjects: readonly Subject[], samples: readonly Sample[][]): Table {
  return {
    head: ["streams", "chunks/s", "chunks per read", "server CPU µs/chunk", "first byte p50 ms", "p99 ms"],
    rows: subjects.map((subject, at) => {
      const own = samples[at] ?? [];
      return [
        subject.name,
        spread(
          own.map(({ answer }) => answer.events / answer.seconds),
          0,
        ),
        median(own.map(({ answer }) => answer.events / answer.reads)).toFixed(2),
        subject.pid === undefined
          ? "–"
          : spread(
              own.map(({ cpu }) => cpu),
              1,
            ),
        ...firstByteCells(own),
      ];
    }),
  };
}

function firstByteCells(samples: readonly Sample[]): string[] {
  return [
    median(samples.map(({ answer }) => answer.firstByte.p50)).toFixed(1),
    median(samples.map(({ answer }) => answer.firstByte.p99)).toFixed(1),
  ];
}
