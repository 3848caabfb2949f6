import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({ requestTimeoutMs: 400, confirmTimeoutMs: 400 });
});
afterEach(() => server.stop());

const LAST = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';
const counted = async (): Promise<unknown> => {
  const { jobs_completed_total, jobs_failed_total, jobs_inflight_total } = (await server.state()).server;
  return { jobs_completed_total, jobs_failed_total, jobs_inflight_total };
};
const COMPLETED = { jobs_completed_total: 1, jobs_failed_total: 0, jobs_inflight_total: 0 };

test("a job whose client closes after [DONE], before the worker's end, is completed", async () => {
  const worker = await server.worker();
  const leaver = new AbortController();
  const pending = server.chat("m", { stream: true }, { signal: leaver.signal });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, LAST);
  const reader = (await pending).body?.getReader();
  await reader?.read();
  leaver.abort();
  expect(await worker.reset()).toMatchObject({ id, code: "canceled" });
  await eventually(async () => Bun.deepEquals(await counted(), COMPLETED), "it counts as completed");
});

test("a stream that is silent after [DONE] ends in order at the limit, and its worker is told to stop", async () => {
  const worker = await server.worker();
  const pending = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, LAST);
  expect(await (await pending).text()).toBe(LAST);
  expect(await worker.reset()).toMatchObject({ id, code: "timeout" });
  expect(await counted()).toEqual(COMPLETED);
});

test.each([
  ["a stream that has said [DONE]", true, { "content-type": "text/event-stream" }, LAST],
  ["an answer of which every declared byte came", false, { "content-length": "7" }, '{"a":1}'],
])("%s is complete although its legacy agent left before the end message", async (_, stream, headers, body) => {
  const worker = new LegacyWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const pending = server.chat("m", { stream });
  const { request_id } = await worker.request();
  worker.head(request_id, 200, headers);
  worker.chunk(request_id, body);
  worker.close();
  const answer = await pending;
  expect([answer.status, await answer.text()]).toEqual([200, body]);
  expect(await counted()).toEqual(COMPLETED);
});
