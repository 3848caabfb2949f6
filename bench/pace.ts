import type { Children } from "./children.ts";
import { gapCells } from "./fleet.ts";
import type { LoadAnswer, LoadQuestion, Target } from "./load.ts";
import type { ManyStreamsAnswer } from "./many-streams.ts";
import { API_KEY, CLIENT_KEY, startServer, startWorker, withCpu } from "./moorage.ts";
import { median, spread } from "./numbers.ts";
import type { PartResult } from "./report.ts";
import { interleave } from "./rounds.ts";

const BODY = JSON.stringify({
  model: "bench-chat",
  messages: [{ role: "user", content: "What floats in a harbour?" }],
});
/** Concurrent requests while the highest rate is being found. */
const CONCURRENCY = 16;
const STREAMS = 1000;
const MOST_ADDED_MS = 3;
const MOST_GAP_MS = 100;
/** Milliseconds between two chunks of a stream, as `bench/many-streams.ts` sends them. */
const EVERY_MS = 50;
const WARM_UP_MS = 5000;

/** Measures the time to first byte at half load against direct calls, and the gaps in a thousand streams at once. */
export async function measurePace(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 7;
  const seconds = isQuick ? 3 : 10;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const server = await startServer(children, { MAX_REQUESTS_PER_KEY: String(STREAMS + CONCURRENCY) });
  const bare = await children.helper("bare-relay.ts");
  const bareWorker = await children.helper("bare-worker.ts", [bare.greeting.url ?? "", backend.greeting.url ?? ""]);
  const worker = await startWorker(children, "llm", server, backend, "bench-worker", ["--max-concurrency", "256"]);
  const path = "/v1/chat/completions";
  const direct: Target = { url: `${backend.greeting.url}${path}` };
  const relayed = server.target(path);
  const ask = async (question: LoadQuestion): Promise<LoadAnswer> => {
    const answer = await load.ask<LoadAnswer>(question, 120_000);
    if (answer.failures > 0) throw new Error(`${answer.failures} failures, such as ${answer.wrong}`);
    return answer;
  };
  const count = isQuick ? 2000 : 8000;
  await ask({ kind: "requests", target: relayed, body: BODY, count, concurrency: CONCURRENCY });
  const full = await ask({ kind: "requests", target: relayed, body: BODY, count, concurrency: CONCURRENCY });
  const perSecond = Math.round(count / full.seconds / 2);
  const targets: readonly Target[] = [direct, { url: `${bare.greeting.url}${path}` }, relayed];
  const [direct_ = [], bare_ = [], relayed_ = []] = await interleave(targets, rounds, (target) =>
    ask({ kind: "paced", target, body: BODY, perSecond, seconds }),
  );
  const added = (answers: readonly LoadAnswer[]): number[] =>
    p99(answers).map((ms, round) => ms - (p99(direct_)[round] ?? Number.NaN));
  await Promise.all([worker.stop(), bareWorker.stop(), bare.stop()]);

  const streams = await children.helper("many-streams.ts", [server.url, CLIENT_KEY, API_KEY, String(STREAMS)]);
  await Bun.sleep(WARM_UP_MS);
  await streams.ask<ManyStreamsAnswer>({});
  const watchMs = isQuick ? 5000 : 30_000;
  const { cpu } = await withCpu(server.pid, () => Bun.sleep(watchMs));
  const gaps = await streams.ask<ManyStreamsAnswer>({});
  const percent = (cpu / (watchMs * 1000)) * 100;
  const lateMs = Math.max(0, gaps.longestSentGap - EVERY_MS);
  return {
    goals: [
      {
        what: "time to first byte, p99 at half load: through Moorage minus direct",
        measured: `${spread(added(relayed_), 1)} ms`,
        wanted: `at most ${MOST_ADDED_MS} ms`,
        isMet: median(added(relayed_)) <= MOST_ADDED_MS,
      },
      {
        what: "the same, through the bare relay minus direct",
        measured: `${spread(added(bare_), 1)} ms`,
        wanted: undefined,
      },
      {
        what: `longest gap in any of ${STREAMS.toLocaleString("en")} streams of 20 chunks/s, at ${percent.toFixed(0)} % of one core`,
        measured: `${gaps.longestGap.toFixed(0)} ms, the sender up to ${lateMs.toFixed(0)} ms late`,
        wanted: `at most ${MOST_GAP_MS} ms beyond the sender's own delay`,
        isMet: gaps.longestGap - lateMs <= MOST_GAP_MS,
      },
    ],
    report: {
      title: "Pace",
      method:
        `Half load is half of the rate of small chats that ${CONCURRENCY} at a time reached just before, ${perSecond} per second here. Requests are sent at that rate whether earlier ones have finished or not, for ${seconds} s per round; ${rounds} interleaved rounds, after one warm-up round. ` +
        `Then ${STREAMS.toLocaleString("en")} streams from one scripted worker, each with a chunk every 50 ms, spread evenly. Worker and readers are one process (\`bench/many-streams.ts\`), whose own pauses are part of the gaps. They run for ${watchMs / 1000} s, after ${WARM_UP_MS / 1000} s.`,
      tables: [
        {
          head: ["small chat at half load", "first byte p50 ms", "p99 ms"],
          rows: [
            ["backend, direct", spread(p50(direct_), 1), spread(p99(direct_), 1)],
            ["through the bare relay", spread(p50(bare_), 1), spread(p99(bare_), 1)],
            ["through Moorage", spread(p50(relayed_), 1), spread(p99(relayed_), 1)],
          ],
        },
        {
          head: [
            "streams",
            "chunks read",
            "gap p50 ms",
            "p99 ms",
            "longest ms",
            "longest pause of the sender",
            "server CPU % of one core",
          ],
          rows: [[STREAMS.toLocaleString("en"), ...gapCells(gaps), gaps.longestSentGap.toFixed(0), percent.toFixed(0)]],
        },
      ],
    },
  };
}

function p50(answers: readonly LoadAnswer[]): number[] {
  return answers.map(({ firstByte }) => firstByte.p50);
}

function p99(answers: readonly LoadAnswer[]): number[] {
  return answers.map(({ firstByte }) => firstByte.p99);
}
