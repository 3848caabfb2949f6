import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { ProgramRun } from "../support/program-run.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startBackend, startTestWorker } from "../support/test-worker.ts";

const ROOT = join(import.meta.dir, "../..");
const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

test("a frozen worker program loses its jobs to other workers, and is accepted again when it thaws", async () => {
  const server = keep(new TestServer({ pingIntervalMs: 300, queueTimeoutMs: 20_000 }));
  let asked = 0;
  const isFrozen = Promise.withResolvers<void>();
  const backend = keep(
    startBackend(async () => {
      asked += 1;
      await isFrozen.promise;
      return Response.json({ done: true });
    }),
  );
  const args = ["llm", "--server", server.url, "--backend", backend.url, "--models", "m"];
  const env = { CLIENT_KEY, PATH: process.env["PATH"] ?? "" };
  const frozen = keep(
    new ProgramRun(
      [process.execPath, "src/worker/main.ts", ...args, "--id", "frozen", "--drain-timeout", "0s"],
      env,
      ROOT,
    ),
  );
  await frozen.event("link.opened");
  const lost = server.chat("m");
  await eventually(() => asked === 1, "it works");
  frozen.signal("SIGSTOP");
  isFrozen.resolve();
  keep({ stop: () => frozen.signal("SIGCONT") });
  const worker = keep(
    startTestWorker({
      server: server.url,
      backend: backend.url,
      models: ["m"],
      clientKeys: [CLIENT_KEY],
      drainTimeoutMs: 0,
    }),
  );
  await worker.registered;
  // The job had no first byte yet, so it moved to the other worker.
  expect((await lost).status).toBe(200);
  expect(asked).toBe(2);
  expect((await server.state()).workers.map(({ id }) => id)).not.toContain("frozen");
  expect((await server.chat("m")).status).toBe(200);
  frozen.signal("SIGCONT");
  await eventually(
    async () => (await server.state()).workers.some(({ id }) => id === "frozen"),
    "it is taken back",
    20_000,
  );
  const answers = await Promise.all(Array.from({ length: 4 }, () => server.chat("m")));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
}, 60_000);

test("a backend that accepts a request and never answers costs a retryable 504, and its connection is closed", async () => {
  const server = keep(new TestServer({ requestTimeoutWholeMs: 1000 }));
  let left = 0;
  const backend = keep(
    startBackend((request) => {
      request.signal.addEventListener("abort", () => {
        left += 1;
      });
      return new Promise<Response>(() => {});
    }),
  );
  const worker = keep(
    startTestWorker({
      server: server.url,
      backend: backend.url,
      models: ["m"],
      clientKeys: [CLIENT_KEY],
      drainTimeoutMs: 0,
    }),
  );
  await worker.registered;
  const answer = await server.chat("m");
  expect(answer.status).toBe(504);
  expect(await answer.text()).toContain("upstream_timeout");
  await eventually(() => left === 1, "the backend is told");
  await eventually(async () => (await server.state()).workers[0]?.inflight === 0, "its slot is free");
}, 30_000);
