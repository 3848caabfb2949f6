import { Balancer } from "../../src/demo/cluster/balancer.ts";
import type { Children } from "../children.ts";
import type { DropAnswer, IdleQuestion, LoseQuestion } from "../idle-workers.ts";
import type { LoadAnswer, LoadQuestion } from "../load.ts";
import { CLIENT_KEY, type MoorageServer, startWorker } from "../moorage.ts";
import { quantile, spread } from "../numbers.ts";
import { PATH } from "../relay-load.ts";
import type { Goal, PartResult } from "../report.ts";
import { connectWorker, type Manner } from "./held-worker.ts";
import { chat, formed, seenBy, served, startMember, startNats, until } from "./rig.ts";

const MOST_MS = { unused: 50, elsewhere: 250, silent: 2000, half: 3000, all: 8000, whole: 1000 };
const JOBS = 40;
const STREAMS = 200;
const WORKERS = 1000;

/** Measures what the death, the silence and the return of a server and of nats-server cost. */
export async function measureClusterFaults(children: Children, isQuick: boolean): Promise<PartResult> {
  const times = isQuick ? 2 : 6;
  const awayS = isQuick ? 10 : 60;
  const killed = [];
  for (let time = 0; time < times; time += 1) killed.push(await killServer(children));
  const silences: number[] = [];
  for (let time = 0; time < times; time += 1) silences.push(await freezeServer(children));
  const moved = await moveWorkers(children);
  const nats = await restartNats(children, awayS);
  const elsewhere = quantile(
    killed.flatMap(({ answeredMs }) => answeredMs),
    0.99,
  );
  const atMost = (what: string, values: readonly number[], most: number, digits = 0): Goal => ({
    what,
    measured: `${spread(values, digits)} ms`,
    wanted: `at most ${most} ms`,
    isMet: Math.max(...values) <= most,
  });
  const none = (what: string, count: number, of: string): Goal => ({
    what,
    measured: `${count} of ${of}`,
    wanted: "0",
    isMet: count === 0,
  });
  return {
    goals: [
      atMost(
        "kill -9 of a server: until a peer takes it for gone",
        killed.map(({ unusedMs }) => unusedMs),
        MOST_MS.unused,
      ),
      {
        what: "kill -9 of a server: its jobs without a first byte are answered elsewhere, p99",
        measured: `${elsewhere.toFixed(0)} ms`,
        wanted: `at most ${MOST_MS.elsewhere} ms`,
        isMet: elsewhere <= MOST_MS.elsewhere,
      },
      atMost("a frozen server: until its streams have ended with an error", silences, MOST_MS.silent),
      atMost("kill -9 of a server: half of its 1,000 workers are at the others", [moved.halfMs], MOST_MS.half),
      atMost("kill -9 of a server: all of its 1,000 workers are at the others", [moved.allMs], MOST_MS.all),
      none("nats-server is restarted: streams over two servers that broke", nats.broken, String(STREAMS)),
      none("nats-server is restarted: health checks and chats that were not 200", nats.refused, String(nats.asked)),
      none(`NATS is away for ${awayS} s: chats that were not 200`, nats.refusedAway, String(nats.askedAway)),
      atMost(`NATS is back after ${awayS} s: until the cluster is whole`, [nats.wholeMs], MOST_MS.whole),
    ],
    report: {
      title: "Cluster: faults",
      method: `Servers and nats-servers in processes of their own, killed and frozen by process id; ${times} times each where there is a range. ${JOBS} jobs wait for a first byte from the server that dies. When a peer takes it for gone is read from the State API of that peer.`,
      tables: [],
    },
  };
}

async function startThree(children: Children): Promise<{
  readonly members: readonly [MoorageServer, MoorageServer, MoorageServer];
  readonly stop: () => Promise<unknown>;
  readonly nats: Awaited<ReturnType<typeof startNats>>;
}> {
  const nats = await startNats(children);
  const members = [
    await startMember(children, nats, "a"),
    await startMember(children, nats, "b"),
    await startMember(children, nats, "c"),
  ] as const;
  await formed(members);
  return { members, nats, stop: () => Promise.all([...members, nats].map((child) => child.stop())) };
}

/** Kills a server that has jobs without a first byte, while another one has a worker that answers at once. */
async function killServer(children: Children): Promise<{ unusedMs: number; answeredMs: readonly number[] }> {
  const { members, stop } = await startThree(children);
  const [entry, victim, other] = members;
  const holder = await workerAt(victim, entry, "holds");
  const waiting = Array.from({ length: JOBS }, () => chat(entry, "m"));
  await until(async () => holder.asked === JOBS);
  const answering = await workerAt(other, entry, "answers");
  // The entry server has heard of the second worker: its models did not change, so only time shows that.
  await Bun.sleep(1000);
  const killedAt = performance.now();
  const killedAtWall = Date.now();
  process.kill(victim.pid, "SIGKILL");
  const answered = waiting.map(async (response) => {
    const { status } = await response;
    if (status !== 200) throw new Error(`a job that was without a first byte got ${status}`);
    return performance.now() - killedAt;
  });
  const seenVictim = async () => (await seenBy(entry)).servers.find(({ id }) => id === "b");
  await until(async () => (await seenVictim())?.state !== "alive");
  // The server's own time: the question about it waits behind the jobs that go elsewhere at that moment.
  const unusedMs = Date.parse((await seenVictim())?.since ?? "") - killedAtWall;
  const answeredMs = await Promise.all(answered);
  holder.close();
  answering.close();
  await stop();
  return { unusedMs, answeredMs };
}

/** Freezes a server through which streams run. Returns the milliseconds until the last of them has ended. */
async function freezeServer(children: Children): Promise<number> {
  const { members, stop } = await startThree(children);
  const [entry, victim] = members;
  const worker = await workerAt(victim, entry, "begins");
  const streams = await Promise.all(Array.from({ length: JOBS }, () => chat(entry, "m", { stream: true })));
  const frozenAt = performance.now();
  process.kill(victim.pid, "SIGSTOP");
  for (const text of await Promise.all(streams.map((response) => response.text())))
    if (!text.includes('"error"')) throw new Error(`a stream ended without an error event: ${text}`);
  const tookMs = performance.now() - frozenAt;
  process.kill(victim.pid, "SIGCONT");
  worker.close();
  await stop();
  return tookMs;
}

async function workerAt(owner: MoorageServer, entry: MoorageServer, manner: Manner) {
  const worker = await connectWorker(owner.url, "m", manner);
  await served(entry, "m");
  return worker;
}

/** Kills the server of 1,000 workers, which reach the others by the same address. */
async function moveWorkers(children: Children): Promise<DropAnswer> {
  const { members, stop } = await startThree(children);
  const targets = members.map(({ url }, at) => ({ port: Number(new URL(url).port), isTaking: at === 0 }));
  const balancer = await Balancer.start(0, targets);
  const fleet = await children.helper("idle-workers.ts", [balancer.url, CLIENT_KEY]);
  const open: IdleQuestion = { sessions: WORKERS };
  await fleet.ask(open);
  for (const target of targets) target.isTaking = true;
  const lose: LoseQuestion = { lose: true };
  const answer = fleet.ask<DropAnswer>(lose, 120_000);
  // The question has arrived.
  await Bun.sleep(200);
  process.kill(members[0].pid, "SIGKILL");
  const moved = await answer;
  await fleet.stop();
  await balancer.stop();
  await stop();
  return moved;
}

interface NatsFigures {
  readonly broken: number;
  readonly asked: number;
  readonly refused: number;
  readonly askedAway: number;
  readonly refusedAway: number;
  readonly wholeMs: number;
}

/** Restarts nats-server under streams, and takes it away for a while. */
async function restartNats(children: Children, awayS: number): Promise<NatsFigures> {
  const { members, nats, stop } = await startThree(children);
  const [entry, owner] = members;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  await startWorker(children, "llm", owner, backend, "bench-worker", ["--max-concurrency", "400"]);
  await served(entry, "bench-chat");
  const body = JSON.stringify({ model: "bench-chat", stream: true, chunks: 160, gap_ms: 50, messages: [] });
  const question: LoadQuestion = { kind: "streams", target: entry.target(PATH), body, count: STREAMS };
  const streams = load.ask<LoadAnswer>(question, 120_000);
  const asking = askOnAndOn(members);
  await Bun.sleep(2000);
  process.kill(nats.pid, "SIGKILL");
  await Bun.sleep(1000);
  const second = await startNats(children, nats.port);
  const { failures: broken } = await streams;
  const { asked, refused } = await asking.stop();
  await formed(members);

  process.kill(second.pid, "SIGKILL");
  const askingAway = askOnAndOn(members);
  await Bun.sleep(awayS * 1000);
  const away = await askingAway.stop();
  const third = await startNats(children, nats.port);
  const wholeMs = await until(async () => {
    const seen = await Promise.all(members.map(seenBy));
    return seen.every(({ bus, servers }) => bus.state === "up" && servers.every(({ state }) => state === "alive"));
  });
  await stop();
  await third.stop();
  return { broken, asked, refused, askedAway: away.asked, refusedAway: away.refused, wholeMs };
}

/** Asks each server for its health and for a small chat, 20 times a second. */
function askOnAndOn(servers: readonly MoorageServer[]) {
  let refused = 0;
  const all: Promise<void>[] = [];
  const ask = async (request: Promise<Response>): Promise<void> => {
    const status = await request.then(
      async (response) => {
        await response.text();
        return response.status;
      },
      () => 0,
    );
    if (status !== 200) refused += 1;
  };
  const timer = setInterval(() => {
    for (const server of servers) all.push(ask(fetch(`${server.url}/healthz`)), ask(chat(server, "bench-chat")));
  }, 50);
  const stop = async (): Promise<{ readonly asked: number; readonly refused: number }> => {
    clearInterval(timer);
    await Promise.all(all);
    return { asked: all.length, refused };
  };
  return { stop };
}
