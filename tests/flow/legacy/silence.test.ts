import { afterEach, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";

const BEAT_MS = 5000;
const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** A server on a clock of its own, and a scripted agent on it with one job. */
async function start(request: object = {}) {
  const clock = new FakeClock();
  const server = new TestServer({}, { clock });
  const agent = new LegacyWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  running.push(server, { stop: () => agent.kill() });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const answer = server.chat("m", request);
  const { request_id } = await agent.request();
  const heartbeatAt = async () => (await server.state()).workers[0]?.["last_heartbeat"];
  /** Lets time pass in which the agent sends its heartbeats and nothing else. */
  const beatFor = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += BEAT_MS) {
      clock.advance(BEAT_MS);
      const before = await heartbeatAt();
      agent.send({ type: "heartbeat", ts: 1 });
      await eventually(async () => (await heartbeatAt()) !== before, "the heartbeat has arrived");
    }
  };
  return { clock, server, agent, answer, request_id, beatFor };
}

test("a job of a legacy agent may be silent for minutes while the agent's heartbeats continue", async () => {
  const { agent, answer, request_id, beatFor } = await start();
  await beatFor(9 * 60_000);
  agent.answerJson(request_id, { ok: 1 });
  const { status } = await answer;
  expect(status).toBe(200);
}, 30_000);

test("a stream of a legacy agent may pause for minutes while the agent's heartbeats continue", async () => {
  const { agent, answer, request_id, beatFor } = await start({ stream: true });
  agent.head(request_id, 200, { "content-type": "text/event-stream" });
  agent.chunk(request_id, "data: 1\n\n");
  await beatFor(4 * 60_000);
  agent.chunk(request_id, "data: [DONE]\n\n");
  agent.end(request_id);
  expect(await (await answer).text()).toEndWith("data: [DONE]\n\n");
}, 30_000);

test.each([
  ["a job", {}],
  ["a stream that has not begun", { stream: true }],
])(
  "%s of a legacy agent that is silent for REQUEST_TIMEOUT_WHOLE is cancelled, whatever its heartbeats say",
  async (_, request) => {
    const { agent, answer, request_id, beatFor } = await start(request);
    await beatFor(10 * 60_000);
    const text = await (await answer).text();
    expect(text).toContain("upstream_timeout");
    expect(text).toContain("REQUEST_TIMEOUT_WHOLE");
    expect(await agent.cancelled()).toMatchObject({ request_id });
  },
  30_000,
);

test("a legacy agent that is frozen loses its job to another worker after 20 s", async () => {
  const clock = new FakeClock();
  const server = new TestServer({}, { clock });
  const line = await TcpProxy.start(server.url);
  const frozen = new LegacyWorker({ url: line.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  running.push(server, line, { stop: () => frozen.kill() });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const answer = server.chat("m");
  await frozen.request();
  const other = await server.worker();
  line.swallow();
  clock.advance(18_000);
  other.sendText({ type: "heartbeat" });
  expect((await server.state()).workers.length).toBe(2);
  clock.advance(3000);
  other.answerJson((await other.request()).id, { from: "other" });
  expect(await (await answer).json()).toEqual({ from: "other" });
  expect((await server.state()).workers.length).toBe(1);
});
