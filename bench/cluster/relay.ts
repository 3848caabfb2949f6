import type { Children } from "../children.ts";
import type { LoadAnswer, LoadQuestion } from "../load.ts";
import type { ManyStreamsAnswer } from "../many-streams.ts";
import { API_KEY, CLIENT_KEY, type MoorageServer, startServer, startWorker } from "../moorage.ts";
import { median, ratios, spread } from "../numbers.ts";
import { cpuMicros } from "../process-reading.ts";
import { CONCURRENCY, PATH, SMALL_CHAT, smallChats } from "../relay-load.ts";
import type { Goal, PartResult, Table } from "../report.ts";
import { interleave } from "../rounds.ts";
import { type BenchNats, formed, NO_LIMIT, served, startMember, startNats } from "./rig.ts";

/** Where a client enters and where the worker is, and the processes in between. */
interface Way {
  readonly name: string;
  readonly entry: MoorageServer;
  readonly owner: MoorageServer;
  readonly nats: BenchNats | undefined;
}

interface Sample {
  /** Microseconds of CPU per request or chunk: of both servers, and of nats-server. */
  readonly servers: number;
  readonly nats: number;
  readonly firstByte: LoadAnswer["firstByte"];
}

const MOST = { chat: 1.5, alone: 1.02, chunk: { 200: 1.5, 1000: 1.25 } } as const;
/** Requests a second of the paced rounds: about half of what a server does here. */
const PER_SECOND = 150;
const STREAMS = [200, 1000] as const;
const MOST_ADDED_MS = { p50: 0.3, p99: 3 };

/** Measures small chats and streams on one server without a cluster, in a cluster of one, and over two servers. */
export async function measureClusterRelay(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 7;
  const requests = isQuick ? 2000 : 8000;
  const seconds = isQuick ? 3 : 6;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const ways = await startWays(children);
  for (const { owner, entry } of ways) {
    await startWorker(children, "llm", owner, backend, "bench-worker", ["--max-concurrency", "256"]);
    await served(entry, "bench-chat");
  }
  const ask = async (way: Way, question: LoadQuestion, count: number): Promise<Sample> => {
    const read = reading(way);
    const answer = await load.ask<LoadAnswer>(question, 120_000);
    if (answer.failures > 0) throw new Error(`${way.name}: ${answer.failures} failures, such as ${answer.wrong}`);
    return { ...read(count), firstByte: answer.firstByte };
  };
  const chats = await interleave(ways, rounds, (way) =>
    ask(way, smallChats(way.entry.target(PATH), requests), requests),
  );
  const paced = await interleave(ways, rounds, (way) => {
    const target = way.entry.target(PATH);
    return ask(way, { kind: "paced", target, body: SMALL_CHAT, perSecond: PER_SECOND, seconds }, PER_SECOND * seconds);
  });
  const streams: Sample[][][] = [];
  for (const count of STREAMS)
    streams.push(await interleave(ways, isQuick ? 1 : 5, (way) => streamOnce(children, way, count, seconds)));

  const [none = [], alone = [], remote = []] = chats.map((samples) => samples.map(({ servers }) => servers));
  const goals: Goal[] = [
    ratioGoal("server CPU per small chat, over two servers / one server", remote, none, MOST.chat),
    ratioGoal("server CPU per small chat, cluster of one / no cluster", alone, none, MOST.alone),
    ...addedGoals(paced),
    ...STREAMS.flatMap((count, at) => {
      const [local = [], one = [], two = []] = streams[at] ?? [];
      const what = `server CPU per streamed chunk, ${count.toLocaleString("en")} streams`;
      return [
        ratioGoal(`${what}: over two servers / one server`, cpu(two), cpu(local), MOST.chunk[count]),
        ratioGoal(`${what}: cluster of one / no cluster`, cpu(one), cpu(local), MOST.alone),
      ];
    }),
    ...throughputGoals(remote, none),
  ];
  return {
    goals,
    report: {
      title: "Cluster: requests",
      method: `${rounds} interleaved rounds, after one warm-up round, on one server without NATS_URL, in a cluster of one, and over two servers: the client enters the one that the worker has not dialled. A round is ${requests} small chats, ${CONCURRENCY} at a time; ${PER_SECOND} small chats a second for ${seconds} s; and streams of 20 chunks a second for ${seconds} s, whose clients and worker are one process. The figures are medians over the rounds, with ranges in parentheses.`,
      tables: [
        table("small chat", ways, chats),
        table(`small chat, ${PER_SECOND} a second`, ways, paced),
        ...STREAMS.map((count, at) => table(`chunk of ${count.toLocaleString("en")} streams`, ways, streams[at] ?? [])),
      ],
    },
  };
}

async function startWays(children: Children): Promise<readonly Way[]> {
  const single = await startServer(children, NO_LIMIT);
  const [ownNats, nats] = [await startNats(children), await startNats(children)];
  const alone = await startMember(children, ownNats, "alone");
  const pair = [await startMember(children, nats, "a"), await startMember(children, nats, "b")] as const;
  await formed(pair);
  const [entry, owner] = pair;
  return [
    { name: "one server, no cluster", entry: single, owner: single, nats: undefined },
    { name: "a cluster of one", entry: alone, owner: alone, nats: ownNats },
    { name: "over two servers", entry, owner, nats },
  ];
}

/** Begins a reading of all processes of a way. The result divides what they have used since by a count. */
function reading({ entry, owner, nats }: Way): (count: number) => Omit<Sample, "firstByte"> {
  const pids = [...new Set([entry.pid, owner.pid])];
  const used = (): number => pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const natsUsed = (): number => (nats ? cpuMicros(nats.pid) : 0);
  const [before, natsBefore] = [used(), natsUsed()];
  return (count) => ({ servers: (used() - before) / count, nats: (natsUsed() - natsBefore) / count });
}

async function streamOnce(children: Children, way: Way, count: number, seconds: number): Promise<Sample> {
  const args = [way.owner.url, CLIENT_KEY, API_KEY, String(count), way.entry.url];
  const streams = await children.helper("many-streams.ts", args);
  try {
    // The first chunks of all streams have passed.
    await Bun.sleep(1500);
    await streams.ask<ManyStreamsAnswer>({});
    const read = reading(way);
    await Bun.sleep(seconds * 1000);
    const { chunks, p50Gap, p99Gap } = await streams.ask<ManyStreamsAnswer>({});
    return { ...read(chunks), firstByte: { p50: p50Gap, p99: p99Gap } };
  } finally {
    await streams.stop();
    // The server forgets the worker before the next round begins.
    await Bun.sleep(500);
  }
}

const cpu = (samples: readonly Sample[]): number[] => samples.map(({ servers }) => servers);

function ratioGoal(what: string, ours: readonly number[], theirs: readonly number[], most: number): Goal {
  const each = ratios(ours, theirs);
  return { what, measured: `${spread(each, 2)} ×`, wanted: `at most ${most} ×`, isMet: median(each) <= most };
}

/** What the way over two servers adds to the first byte, round by round. */
function addedGoals([none = [], , remote = []]: readonly Sample[][]): Goal[] {
  return (["p50", "p99"] as const).map((which) => {
    const added = remote.map(({ firstByte }, at) => firstByte[which] - (none[at]?.firstByte[which] ?? Number.NaN));
    return {
      what: `first byte, over two servers − one server, ${which}`,
      measured: `${spread(added, 2)} ms`,
      wanted: `at most ${MOST_ADDED_MS[which]} ms`,
      isMet: median(added) <= MOST_ADDED_MS[which],
    };
  });
}

/** The throughput of n servers by CPU, if a share of the jobs is served by another server than the one they entered. */
function throughputGoals(remote: readonly number[], none: readonly number[]): Goal[] {
  const more = median(ratios(remote, none)) - 1;
  return (
    [
      [0.1, 0.95],
      [1, 0.62],
    ] as const
  ).map(([share, least]) => {
    const times = 1 / (1 + more * share);
    return {
      what: `small chats a second of n servers / one server, ${100 * share} % of them over two servers (computed from the CPU)`,
      measured: `${times.toFixed(2)} n`,
      wanted: `at least ${least} n`,
      isMet: times >= least,
    };
  });
}

function table(what: string, ways: readonly Way[], samples: readonly Sample[][]): Table {
  const isChunk = what.startsWith("chunk");
  const times = isChunk ? ["gap p50 ms", "gap p99 ms"] : ["first byte p50 ms", "p99 ms"];
  return {
    head: [what, "servers' CPU µs", "nats-server's CPU µs", ...times],
    rows: ways.map(({ name, nats }, at) => {
      const own = samples[at] ?? [];
      return [
        name,
        spread(cpu(own), 1),
        nats
          ? spread(
              own.map((sample) => sample.nats),
              1,
            )
          : "–",
        median(own.map(({ firstByte }) => firstByte.p50)).toFixed(2),
        median(own.map(({ firstByte }) => firstByte.p99)).toFixed(2),
      ];
    }),
  };
}
