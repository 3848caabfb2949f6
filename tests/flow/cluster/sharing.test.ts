import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { PacedBackend } from "../../support/paced-backend.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

// What three server processes on a real nats-server have in common: slots, limits, prompts and ids.

const OTHER_KEY = "another-test-api-key";
const BUSY_KEY = "a-busy-test-api-key";
const OTHER_CLIENT_KEY = "another-test-client-key";
const LIMIT = 12;
const JOBS = 10;
const WRONG_KEYS = 20;
const LONG_MS = 30_000;

const USAGE = { prompt_tokens: 100, completion_tokens: 100 };
const authorized = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });

describe.skipIf(lacks("slots and limits in a cluster", PROGRAMS.nats))("three servers share", () => {
  let cluster: ClusterProcesses;

  beforeAll(async () => {
    cluster = await ClusterProcesses.start({
      env: {
        API_KEY: `${API_KEY},${OTHER_KEY},${BUSY_KEY}`,
        CLIENT_KEY: `${CLIENT_KEY},${OTHER_CLIENT_KEY}`,
        MAX_REQUESTS_PER_KEY: String(LIMIT),
        AUTH_FAILURES_PER_MINUTE: String(WRONG_KEYS),
        KEEPALIVE_INTERVAL: "1s",
        EARLY_HEADERS_AFTER: "0s",
        START_GRACE: "0s",
      },
    });
  }, 60_000);
  afterAll(() => cluster.stop());
  afterEach(async () => {
    await cluster.dismiss();
  });

  /** Sends a chat that says who sent it. */
  const chat = (at: number, name: string, key = API_KEY): Promise<Response> =>
    cluster.server(at).chat("m", { name }, authorized(key));

  /** Answers the next request of a worker, and returns who sent it. */
  async function serve(worker: NativeWorker): Promise<string> {
    const { id, body } = await worker.request();
    worker.answerJson(id, { choices: [], usage: USAGE });
    return (JSON.parse(Buffer.from(body).toString()) as { name: string }).name; // as `chat` has written it
  }

  /** Answers the requests of a worker until it is closed. */
  async function serveOn(worker: NativeWorker): Promise<void> {
    while (worker.socket.readyState === WebSocket.OPEN) await serve(worker).catch(() => {});
  }

  /** Opens a stream that waits at the server at this place; resolves to the text that has come once it is as it should be. */
  async function queued(at: number, name: string, isRight: (text: string) => boolean) {
    const leaver = new AbortController();
    const response = await cluster
      .server(at)
      .chat("m", { name, stream: true }, { ...authorized(API_KEY), signal: leaver.signal });
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    let text = "";
    while (reader && !isRight(text)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the stream of ${name} ended: ${text}`);
      text += decoder.decode(value, { stream: true });
    }
    return { leave: () => leaver.abort() };
  }

  test(
    "a slot by turns: the key that has had least is next, although it waits at another server and came last",
    async () => {
      const worker = await cluster.workerOfM(1);
      const many = [0, 1, 2, 3, 4].map((each) => chat(1, `many ${each}`));
      const first = await worker.request();
      await cluster.server(1).waiting(4);
      const one = chat(0, "one", OTHER_KEY);
      await cluster.server(0).waiting(1);
      worker.answerJson(first.id, { choices: [], usage: USAGE });
      const order: string[] = [];
      for (let each = 0; each < 5; each += 1) order.push(await serve(worker));
      // The news that it waits may take as long as an answer. Without offers it would be the last.
      expect(order.indexOf("one")).toBeLessThanOrEqual(2);
      for (const response of await Promise.all([...many, one])) expect(response.status).toBe(200);
    },
    LONG_MS,
  );

  test(
    "one queue: a request is told its place among those of all servers",
    async () => {
      const worker = await cluster.workerOfM(1);
      const running = chat(1, "running");
      const { id } = await worker.request();
      const earlier = chat(1, "earlier");
      await cluster.server(1).waiting(1);
      // The comments of a stream that waits name its place each second.
      const last = await queued(2, "last", (text) => text.includes("queued position=2"));
      last.leave();
      worker.answerJson(id, { choices: [] });
      expect(await serve(worker)).toBe("earlier");
      expect([(await running).status, (await earlier).status]).toEqual([200, 200]);
      await cluster.server(2).waiting(0);
      expect(worker.frames.waiting).toBe(0);
    },
    LONG_MS,
  );

  test(
    "the work in one hop: a server passes no job on that another one has sent to it",
    async () => {
      for (const at of [1, 2]) void serveOn(await cluster.workerOfM(at));
      const counts = (direction: string): Promise<number[]> =>
        Promise.all(
          cluster.servers.map((server) => server.metric(`moorage_cluster_jobs_total{direction="${direction}"}`)),
        );
      const before = { in: await counts("in"), out: await counts("out") };
      const more = (now: readonly number[], than: readonly number[]): number[] =>
        now.map((count, at) => count - (than[at] ?? 0));
      // More jobs than there are slots, so that offers and refusals occur as well.
      const answers = await Promise.all(Array.from({ length: JOBS }, (_, each) => chat(0, `job ${each}`, OTHER_KEY)));
      for (const { status } of answers) expect(status).toBe(200);
      expect(more(await counts("out"), before.out)).toEqual([JOBS, 0, 0]);
      const taken = more(await counts("in"), before.in);
      expect(taken[0]).toBe(0);
      expect((taken[1] ?? 0) + (taken[2] ?? 0)).toBe(JOBS);
    },
    LONG_MS,
  );

  test(
    "the limit on the requests of a key, which is free again when they have ended",
    async () => {
      const backend = cluster.use(new PacedBackend({ chunks: 2, everyMs: 10 }));
      const worker = await cluster.worker(2, { backend: backend.url, maxConcurrency: 2 * LIMIT });
      await cluster.served("m");
      const ask = (at: number, key = BUSY_KEY, more = {}): Promise<Response> =>
        cluster.server(at).chat("m", more, authorized(key));
      backend.hold();
      // Two servers accept half of the limit each, and the third one nothing.
      const open = await Promise.all(
        Array.from({ length: LIMIT }, (_, each) => ask(each % 2, BUSY_KEY, { stream: true })),
      );
      expect(open.map(({ status }) => status)).toEqual(open.map(() => 200));
      for (const at of [0, 1, 2])
        await eventually(async () => (await ask(at)).status === 429, `server ${at} refuses what is beyond the limit`);
      expect((await ask(2, API_KEY)).status).toBe(200);
      backend.release();
      for (const response of open) expect(backend.problemIn(await response.text())).toBeUndefined();
      for (const at of [0, 1, 2])
        await eventually(async () => (await ask(at)).status === 200, `server ${at} accepts requests of the key again`);
      await worker.stop();
    },
    LONG_MS,
  );

  test(
    "the limit on wrong keys of an address, past which a right key is still let in",
    async () => {
      const guess = async (at: number): Promise<number> =>
        (await cluster.server(at).fetch("/v1/models", authorized("a-wrong-key"))).status;
      for (let each = 0; each < WRONG_KEYS; each += 1) expect(await guess(each % 2)).toBe(401);
      // Each server refuses further ones although few of them were its own: it is asked less often than the limit.
      for (const at of [0, 1, 2]) {
        const statuses: number[] = [];
        while (!statuses.includes(429) && statuses.length < WRONG_KEYS / 2 - 1) {
          statuses.push(await guess(at));
          await Bun.sleep(100);
        }
        expect(statuses).toContain(429);
      }
      for (const server of cluster.servers) expect((await server.fetch("/v1/models")).status).toBe(200);
    },
    LONG_MS,
  );

  test(
    "what they know of prompts: a conversation goes on at its worker, also past a free one of the server that it enters",
    async () => {
      const here = await cluster.workerOfM(0, { worker_id: "here", max_concurrency: 4 });
      await cluster.workerOfM(1, { worker_id: "there", max_concurrency: 4 });
      for (const [at, id] of [
        [0, "there"],
        [1, "here"],
      ] as const) {
        const isKnown = async (): Promise<boolean> =>
          (await cluster.server(at).fetch(`/api/llm/id/${id}/v1/models`)).status === 200;
        await eventually(isKnown, `server ${at} knows the worker ${id}`, 10_000);
      }
      const turn = (text: string): object => ({ role: "user", content: `${text} `.repeat(300) });
      const ask = (at: number, messages: readonly object[]): Promise<Response> =>
        cluster.server(at).chat("m", { messages });
      const first = ask(0, [turn("one")]);
      await serve(here);
      expect((await first).status).toBe(200);
      const known = (at: number): Promise<number> =>
        cluster.server(at).metric('moorage_prefix_table_entries{plugin="llm"}');
      await eventually(
        async () => (await known(1)) > 0 && (await known(0)) === (await known(1)),
        "it was told",
        10_000,
      );
      const second = ask(1, [turn("one"), turn("two")]);
      await serve(here);
      expect((await second).status).toBe(200);
    },
    LONG_MS,
  );

  test(
    "the ids of workers: the newest session of an owner keeps its id, and nobody else gets it",
    async () => {
      const register = { worker_id: "box", models: ["m", "older"] };
      const older = await cluster.workerOfM(0, register);
      await cluster.served("older");
      const newer = await cluster.workerOfM(1, { ...register, models: ["m", "newer"] });
      expect(await older.closed).toMatchObject({ code: 4001 });
      const stranger = new NativeWorker({
        url: cluster.server(2).url,
        register: { ...register, client_key: OTHER_CLIENT_KEY },
      });
      expect(await stranger.closed).toMatchObject({ code: 1008, reason: expect.stringContaining("id in use") });
      await cluster.served("newer");
      const asked = cluster.server(2).post("/api/llm/id/box/v1/chat/completions", { model: "m", messages: [] });
      await serve(newer);
      expect((await asked).status).toBe(200);
      // An agent of the predecessor cannot be told to go, so a second living one of a name gets another id.
      const agents: LegacyWorker[] = [];
      for (const [at, id] of [
        [0, "agent"],
        [2, "agent.2"],
      ] as const) {
        const agent = { worker_id: "agent", client_key: CLIENT_KEY, models: ["m"] };
        agents.push(new LegacyWorker({ url: cluster.server(at).url, register: agent }));
        const path = `/api/llm/id/${id}/v1/models`;
        for (const server of cluster.servers)
          await eventually(async () => (await server.fetch(path)).status === 200, `${server.id} knows ${id}`, 10_000);
      }
      for (const { socket } of agents) {
        expect(socket.readyState).toBe(WebSocket.OPEN);
        socket.close();
      }
    },
    LONG_MS,
  );
});
