import type { Children } from "./children.ts";
import type { LoadAnswer, LoadQuestion } from "./load.ts";
import { API_KEY, CLIENT_KEY, type MoorageServer, startServer, startWorker } from "./moorage.ts";
import { median, spread } from "./numbers.ts";
import type { ProbeAnswer } from "./probe.ts";
import type { PartResult } from "./report.ts";

const INPUTS = 2048;
const DIMENSIONS = 1536;
const BATCH = 64;
const WORKERS = 4;
/** The worker's default for concurrent jobs. */
const SLOTS = 2;
/** The most that the merge may add to a gap of the other stream. */
const MOST_EXTRA_MS = 25;

interface Sample {
  readonly seconds: number;
  readonly mib: number;
  readonly probe: ProbeAnswer;
  readonly lagMs: number;
}

/** Measures the gaps in another stream while a large embeddings request is split, served and merged. */
export async function measureEmbeddings(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 9;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const server = await startServer(children);
  for (let at = 1; at <= WORKERS; at += 1) {
    await startWorker(children, "llm", server, backend, `bench-embed-${at}`, ["--embedding-batch-size", String(BATCH)]);
  }
  const probe = await children.helper("probe.ts", [server.url, CLIENT_KEY, API_KEY]);

  const during = async (work: () => Promise<LoadAnswer>): Promise<Sample> => {
    await lagSinceLastAsked(server);
    await probe.ask({});
    const { seconds, bytes, failures, wrong } = await work();
    if (failures > 0) throw new Error(`${failures} failures, such as ${wrong}`);
    const disturbed = await probe.ask<ProbeAnswer>({});
    return { seconds, mib: bytes / 2 ** 20, probe: disturbed, lagMs: await lagSinceLastAsked(server) };
  };
  const run = (question: LoadQuestion) => during(() => load.ask<LoadAnswer>(question));
  const quiet = async (): Promise<LoadAnswer> => {
    await Bun.sleep(QUIET_MS);
    return { seconds: QUIET_MS / 1000, bytes: 0, failures: 0, firstByte: { p50: 0, p99: 0 }, events: 0, reads: 0 };
  };
  const cases: readonly Case[] = [
    { name: "nothing else", run: () => during(quiet) },
    { name: "the same responses, one by one", run: () => run(plainQuestion(server)) },
    { name: "one request, merged", run: () => run(mergeQuestion(server, "float")) },
    { name: "one request, merged into base64", run: () => run(mergeQuestion(server, "base64")) },
  ];
  // Checks that the result is correct, and lets everything compile before it is measured.
  await run({ ...mergeQuestion(server, "float"), check: "embeddings" });
  const samples = new Map<Case, Sample[]>(cases.map((each) => [each, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const each of cases) {
      const sample = await each.run();
      if (round > 0) samples.get(each)?.push(sample);
    }
  }
  const gaps = (at: number): number[] => (samples.get(cases[at] ?? NOTHING) ?? []).map((each) => each.probe.longestGap);
  const extra = (at: number): number[] => gaps(at).map((gap, round) => gap - (gaps(0)[round] ?? Number.NaN));
  const goal = (what: string, at: number) => ({
    what: `longest gap in another stream, beyond that without load: ${what}`,
    measured: `${spread(extra(at), 1)} ms`,
    wanted: `at most ${MOST_EXTRA_MS} ms`,
    isMet: median(extra(at)) <= MOST_EXTRA_MS,
  });
  return {
    goals: [goal("merged", 2), goal("merged into base64", 3)],
    report: {
      title: "Embeddings",
      method:
        `${INPUTS.toLocaleString("en")} inputs in one request, ${DIMENSIONS.toLocaleString("en")} floats each, served by ${WORKERS} workers with ${SLOTS} slots and batches of ${BATCH}, ` +
        `while another stream on the same server receives a chunk every 5 ms. ${rounds} interleaved rounds, after one warm-up round. The stream's ` +
        "sender and reader share a process of their own; `transit` is the time from worker to client through the server. " +
        "The second row moves as many bytes over the same workers without a merge. In the last row the backend returns floats to a client that asked for base64.",
      tables: [
        {
          head: [
            "meanwhile",
            "seconds",
            "MiB",
            "longest gap ms",
            "longest transit ms",
            "transit p99 ms",
            "longest event loop lag ms",
          ],
          rows: cases.map((each) => {
            const own = samples.get(each) ?? [];
            return [
              each.name,
              median(own.map(({ seconds }) => seconds)).toFixed(2),
              median(own.map(({ mib }) => mib)).toFixed(0),
              spread(
                own.map(({ probe: { longestGap } }) => longestGap),
                1,
              ),
              spread(
                own.map(({ probe: { longestWay } }) => longestWay),
                1,
              ),
              spread(
                own.map(({ probe: { p99Way } }) => p99Way),
                1,
              ),
              spread(
                own.map(({ lagMs }) => lagMs),
                1,
              ),
            ];
          }),
        },
      ],
    },
  };
}

interface Case {
  readonly name: string;
  readonly run: () => Promise<Sample>;
}
const NOTHING: Case = { name: "", run: () => Promise.reject(new Error("no such case")) };

const QUIET_MS = 1000;

function mergeQuestion(server: MoorageServer, encoding: "float" | "base64"): Extract<LoadQuestion, { kind: "bodies" }> {
  const body = JSON.stringify({ ...requestFor(INPUTS), encoding_format: encoding });
  return { kind: "bodies", target: server.target("/v1/embeddings"), bodies: [body], concurrency: 1 };
}

function plainQuestion(server: MoorageServer): LoadQuestion {
  const bodies = Array.from({ length: INPUTS / BATCH }, () => JSON.stringify(requestFor(BATCH)));
  return { kind: "bodies", target: server.target("/v1/plain"), bodies, concurrency: WORKERS * SLOTS };
}

function requestFor(count: number): object {
  const input = Array.from({ length: count }, (_, at) => `input number ${at}`);
  return { model: "bench-embed", dimensions: DIMENSIONS, input };
}

/** The longest delay of the server's event loop since the last scrape, from the server's own metrics. */
async function lagSinceLastAsked(server: MoorageServer): Promise<number> {
  const found = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(await server.get("/metrics"));
  return found ? Number(found[1]) * 1000 : Number.NaN;
}
