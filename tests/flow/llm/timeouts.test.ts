import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Log } from "../../../src/system/deps.ts";
import { silentLog } from "../../../src/system/log.ts";
import { TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

let server: TestServer;
/** The lines `job.ended`. */
let ended: Record<string, unknown>[];

beforeEach(() => {
  ended = [];
  const log: Log = {
    ...silentLog,
    with: () => log,
    info: (event, fields) => {
      if (event === "job.ended") ended.push({ ...fields });
    },
  };
  server = new TestServer({ requestTimeoutMs: 1000, requestTimeoutWholeMs: 2000 }, { log });
});
afterEach(() => server.stop());

const messageOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { message: string } }).error.message; // The form of every error.

test.each([
  ["a job that is not streamed", "chat/completions", {}, "REQUEST_TIMEOUT_WHOLE", 2000],
  ["a stream", "chat/completions", { stream: true }, "REQUEST_TIMEOUT", 1000],
  ["embeddings", "embeddings", { input: "a" }, "REQUEST_TIMEOUT_WHOLE", 2000],
])("%s may be silent for its own limit, which its worker learns and its error names", async (...row) => {
  const [, path, more, setting, ms] = row;
  const worker = await server.worker();
  const answer = server.post(`/v1/${path}`, { model: "m", ...more });
  expect((await worker.request()).head.timeout_ms).toBe(ms);
  const response = await answer;
  expect(response.status).toBe(504);
  expect(await messageOf(response)).toContain(
    `for ${ms / 1000} s, which is as long as the server's setting ${setting} `,
  );
  expect(ended).toMatchObject([{ reason: "upstream_timeout", limit: setting }]);
});

test("a job that its worker gave up by a limit of its own says so", async () => {
  const worker = await server.worker();
  const answer = server.chat("m");
  worker.breakOff((await worker.request()).id, "timeout");
  const response = await answer;
  expect(response.status).toBe(504);
  expect(await messageOf(response)).toContain("its own setting REQUEST_TIMEOUT (--request-timeout)");
  expect(ended).toMatchObject([{ reason: "upstream_timeout", limit: "worker" }]);
});

test("with a worker that has no limit of its own, it is the server that gives a silent job up", async () => {
  const backend = startBackend(() => new Promise<Response>(() => {}));
  const worker = startTestWorker({ server: server.url, backend: backend.url, requestTimeoutMs: undefined });
  await worker.registered;
  const response = await server.chat("m");
  expect([response.status, ended[0]?.["limit"]]).toEqual([504, "REQUEST_TIMEOUT_WHOLE"]);
  await worker.stop();
  await backend.stop();
});
