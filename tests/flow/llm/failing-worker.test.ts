import { afterEach, beforeEach, expect, test } from "bun:test";
import { FakeClock } from "../../support/fake-clock.ts";
import { inboxLog } from "../../support/inbox-log.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
let clock: FakeClock;
let log: ReturnType<typeof inboxLog>;

beforeEach(() => {
  clock = new FakeClock();
  log = inboxLog();
  // Time passes in leaps here, so workers must not have to answer pings meanwhile.
  server = new TestServer({ pingIntervalMs: 24 * 3_600_000 }, { clock, log: log.log });
});
afterEach(() => server.stop());

/** Answers each request of a worker; returns how many there were so far. */
function serve(worker: NativeWorker, act: (id: number) => void): () => number {
  let count = 0;
  const next = async (): Promise<void> => {
    for (;;) {
      const frame = await worker.request().catch(() => undefined);
      if (!frame) return;
      count += 1;
      act(frame.id);
    }
  };
  void next();
  return () => count;
}

/** Sends requests one after the other, at this distance in time. Returns the status of each. */
async function send(requests: number, everyMs: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let at = 0; at < requests; at += 1) {
    const response = await server.chat("m");
    statuses.push(response.status);
    await response.body?.cancel();
    clock.advance(everyMs);
  }
  return statuses;
}

test("one of two workers that answers 500 at once gets less than five per cent of the requests of a minute", async () => {
  const [bad, good] = [await server.worker({ worker_id: "bad" }), await server.worker({ worker_id: "good" })];
  const toBad = serve(bad, (id) => bad.answerJson(id, { error: { message: "broken" } }, 500));
  serve(good, (id) => good.answerJson(id, {}));
  const statuses = await send(240, 250);
  expect(statuses.filter((status) => status === 500)).toHaveLength(toBad());
  expect(toBad()).toBeGreaterThan(5);
  expect(toBad() / statuses.length).toBeLessThan(0.05);
  const ejected = await log.lines.takeUntil(({ event }) => event === "worker.ejected", "worker.ejected");
  expect(ejected).toMatchObject({
    plugin: "llm",
    worker: "bad",
    model: "m",
    reason: "status 500",
    times: 1,
    for_ms: 5000,
  });
});

test("a worker that works again is back within a minute and a half", async () => {
  const [flaky, good] = [await server.worker({ worker_id: "flaky" }), await server.worker({ worker_id: "good" })];
  let status = 500;
  const toFlaky = serve(flaky, (id) => flaky.answerJson(id, {}, status));
  serve(good, (id) => good.answerJson(id, {}));
  await send(200, 250);
  status = 200;
  const before = toFlaky();
  await send(400, 250);
  expect(toFlaky() - before).toBeGreaterThan(50);
  const restored = await log.lines.takeUntil(({ event }) => event === "worker.restored", "worker.restored");
  expect(restored).toMatchObject({ worker: "flaky", model: "m", reason: "status 500" });
});

test("a request whose backend breaks off before its first byte is served by another worker", async () => {
  const [bad, good] = [await server.worker({ worker_id: "bad" }), await server.worker({ worker_id: "good" })];
  const toBad = serve(bad, (id) => bad.breakOff(id, "upstream_error", "ECONNRESET"));
  serve(good, (id) => good.answerJson(id, {}));
  const statuses = await send(40, 250);
  expect(statuses.every((status) => status === 200)).toBe(true);
  // After five of them, the worker is asked no more.
  expect(toBad()).toBeLessThan(10);
  const { workers } = await server.state();
  expect(workers.find(({ id }) => id === "bad")).toMatchObject({ failures_total: toBad(), processed_total: 0 });
  expect(workers.find(({ id }) => id === "good")).toMatchObject({ failures_total: 0, processed_total: 40 });
});

test("a worker that is out can still be named in the path", async () => {
  const [bad, good] = [await server.worker({ worker_id: "bad" }), await server.worker({ worker_id: "good" })];
  const toBad = serve(bad, (id) => bad.answerJson(id, {}, 503));
  serve(good, (id) => good.answerJson(id, {}));
  await send(20, 10);
  const before = toBad();
  const response = await server.post("/api/llm/id/bad/v1/chat/completions", { model: "m", messages: [] });
  expect([response.status, toBad()]).toEqual([503, before + 1]);
});

test("requests that all workers would reject send no worker out", async () => {
  const workers = [await server.worker({ worker_id: "a" }), await server.worker({ worker_id: "b" })];
  const counts = workers.map((worker) => serve(worker, (id) => worker.answerJson(id, { error: {} }, 400)));
  await send(40, 10);
  expect(counts.map((count) => count())).toEqual([20, 20]);
});
