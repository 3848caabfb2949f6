import { afterEach, expect, test } from "bun:test";
import { ScriptedServer } from "../../support/scripted-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Starts a worker whose backend answers when it is told to. Both servers of a handover are one scripted server here. */
function start(slots = 2) {
  const server = new ScriptedServer();
  const gate = Promise.withResolvers<void>();
  const backend = startBackend(async () => {
    await gate.promise;
    return new Response("done");
  });
  const worker = startTestWorker({ server: server.url, backend: backend.url, maxConcurrency: slots });
  stops.push(
    () => server.stop(),
    () => backend.stop(),
    () => worker.stop(),
  );
  const answerAll = (): void => gate.resolve();
  stops.push(async () => answerAll());
  return { server, worker, answerAll };
}

test("a worker that is told of a handover connects a second time under its id, and serves both servers until the first drains", async () => {
  const { server, answerAll } = start();
  const old = await server.worker();
  old.sendText({ type: "handover", reason: "an update", retry_after_ms: 1 });
  const next = await server.worker();
  expect(await next.register()).toMatchObject({ worker_id: "made-by-server", models: ["m"] });
  const [first, second] = [old.open({ path: "/x" }), next.open({ path: "/x" })];
  old.sendText({ type: "drain", reason: "an update", retry_after_ms: 1 });
  const late = old.open({ path: "/x" });
  expect(await old.frameOf(late)).toMatchObject({ type: "reset", code: "draining" });
  answerAll();
  expect(await old.frameOf(first)).toMatchObject({ type: "response", head: { status: 200 } });
  expect(await next.frameOf(second)).toMatchObject({ type: "response", head: { status: 200 } });
  expect(await old.closed).toEqual({ code: 1000, reason: "drained" });
  // The end of the first link makes no third one: the second one goes on alone.
  expect(await next.frameOf(next.open({ path: "/x" }))).toMatchObject({ type: "response" });
  expect(server.links.waiting).toBe(0);
});

test("the slots of a worker are one set for both servers, and the one that asks for more is told that it is busy", async () => {
  const { server, answerAll } = start(2);
  const old = await server.worker();
  const first = old.open({ path: "/x" });
  old.sendText({ type: "handover", reason: "an update", retry_after_ms: 1 });
  const next = await server.worker();
  const second = next.open({ path: "/x" });
  const third = next.open({ path: "/x" });
  expect(await next.frameOf(third)).toMatchObject({ type: "reset", code: "busy" });
  answerAll();
  expect(await old.frameOf(first)).toMatchObject({ type: "response" });
  expect(await next.frameOf(second)).toMatchObject({ type: "response" });
});

test("a worker that is told to leave while a job runs serves the next server before the job ends", async () => {
  const { server, answerAll } = start();
  const old = await server.worker();
  const long = old.open({ path: "/x" });
  old.sendText({ type: "drain", reason: "an update", retry_after_ms: 1 });
  const next = await server.worker();
  expect(next.closed).not.toBe(old.closed);
  answerAll();
  expect(await old.frameOf(long)).toMatchObject({ type: "response" });
  expect(await old.closed).toEqual({ code: 1000, reason: "drained" });
});

test("a worker keeps looking for the next server, and for longer than the first one lives", async () => {
  const { server } = start();
  const old = await server.worker();
  old.sendText({ type: "handover", reason: "an update", retry_after_ms: 1 });
  for (let each = 0; each < 2; each += 1) (await server.worker()).close(1013, "draining");
  old.sendText({ type: "drain", reason: "an update", retry_after_ms: 1 });
  await old.closed;
  const next = await server.worker();
  expect(await next.register()).toMatchObject({ models: ["m"] });
});

test("a worker that stops during a handover says goodbye to both servers", async () => {
  const { server, worker, answerAll } = start();
  answerAll();
  const old = await server.worker();
  old.sendText({ type: "handover", reason: "an update", retry_after_ms: 1 });
  const next = await server.worker();
  // Its answer shows that the registration has arrived.
  expect(await next.frameOf(next.open({ path: "/x" }))).toMatchObject({ type: "response" });
  await Promise.all([worker.stop(), old.status("draining"), next.status("draining")]);
  expect(await old.closed).toEqual({ code: 1000, reason: "drained" });
  expect(await next.closed).toEqual({ code: 1000, reason: "drained" });
});
