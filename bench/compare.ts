import { resolve } from "node:path";
import type { Child, Children, Helper } from "./children.ts";
import type { LoadAnswer, LoadQuestion, Target } from "./load.ts";
import { startServer, startWorker } from "./moorage.ts";
import { ratios, spread } from "./numbers.ts";
import { cpuMicros } from "./process-reading.ts";
import { CONCURRENCY, chatStreams, GAP_MS, PATH, STREAMS, smallChats } from "./relay-load.ts";
import type { PartResult, Table } from "./report.ts";
import { interleave } from "./rounds.ts";

/** One checkout's server and worker, started from its own files. */
interface Subject {
  readonly target: Target;
  readonly server: Child;
  readonly worker: Child;
}

/** Microseconds of CPU per request or per chunk, and the median time to the first byte in milliseconds. */
interface Sample {
  readonly server: number;
  readonly worker: number;
  readonly firstByte: number;
}

/**
 * Compares this checkout with another one, both under the same load in the same rounds. The other checkout runs twice, so
 * that the report shows how far two runs of the same code differ.
 */
export async function measureAgainst(children: Children, isQuick: boolean, other: string): Promise<PartResult> {
  const rounds = isQuick ? 2 : 9;
  const requests = isQuick ? 2000 : 8000;
  const chunks = isQuick ? 100 : 200;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const subjects = [
    await startSubject(children, backend, resolve(other), "bench-before"),
    await startSubject(children, backend, resolve(other), "bench-before-again"),
    await startSubject(children, backend, undefined, "bench-after"),
  ];
  const ask = async ({ server, worker }: Subject, question: LoadQuestion): Promise<Sample> => {
    const [serverBefore, workerBefore] = [cpuMicros(server.pid), cpuMicros(worker.pid)];
    const answer = await load.ask<LoadAnswer>(question, 120_000);
    if (answer.failures > 0) throw new Error(`${answer.failures} failures, such as ${answer.wrong}`);
    const count = question.kind === "requests" ? requests : answer.events;
    return {
      server: (cpuMicros(server.pid) - serverBefore) / count,
      worker: (cpuMicros(worker.pid) - workerBefore) / count,
      firstByte: answer.firstByte.p50,
    };
  };
  const small = await interleave(subjects, rounds, (subject) => ask(subject, smallChats(subject.target, requests)));
  const streamed = await interleave(subjects, rounds, (subject) => ask(subject, chatStreams(subject.target, chunks)));
  return {
    goals: [],
    report: {
      title: "This checkout against another one",
      method:
        `${rounds} interleaved rounds after one warm-up round, each with ${requests} small chat requests, ${CONCURRENCY} at a time, ` +
        `and ${STREAMS} event streams of ${chunks} chunks ${GAP_MS} ms apart. The other checkout runs twice. Each ratio is the median ` +
        "of the rounds' ratios, with its range; the last column shows how far the same code differs from itself.",
      tables: [toTable("small chat, per request", small), toTable("streams, per chunk", streamed)],
    },
  };
}

async function startSubject(
  children: Children,
  backend: Helper,
  directory: string | undefined,
  id: string,
): Promise<Subject> {
  const server = await startServer(children, {}, directory);
  const worker = await startWorker(children, "llm", server, backend, id, ["--max-concurrency", "256"], directory);
  return { target: server.target(PATH), server, worker };
}

function toTable(title: string, [before = [], again = [], after = []]: readonly Sample[][]): Table {
  const row = (name: string, read: (sample: Sample) => number, digits: number): string[] => {
    const [old, same, now] = [before.map(read), again.map(read), after.map(read)];
    const both = old.map((value, at) => (value + (same[at] ?? value)) / 2);
    return [
      name,
      spread(both, digits),
      spread(now, digits),
      `${spread(ratios(now, both), 2)} ×`,
      `${spread(ratios(same, old), 2)} ×`,
    ];
  };
  return {
    head: [title, "other checkout", "this checkout", "this / other", "other / other"],
    rows: [
      row("server CPU µs", (sample) => sample.server, 1),
      row("worker CPU µs", (sample) => sample.worker, 1),
      row("first byte p50 ms", (sample) => sample.firstByte, 2),
    ],
  };
}
