import { afterEach, expect, test } from "bun:test";
import { API_KEY, TestServer } from "../support/test-server.ts";

const ADMIN_KEY = "an-admin-key-of-this-test";

let server: TestServer;
afterEach(() => server.stop());

test("only operators may read of single workers, models and jobs, and others do not learn which exist", async () => {
  server = new TestServer({ adminKeys: [ADMIN_KEY] });
  const worker = await server.worker({ worker_id: "w" });
  const answer = server.chat("m", {}, { headers: { "x-request-id": "r" } });
  const request = await worker.request();
  for (const path of ["workers/w", "workers/none", "models/m", "models/none", "jobs/r", "jobs/none"]) {
    const asClient = await server.fetch(`/api/state/${path}`, { headers: { authorization: `Bearer ${API_KEY}` } });
    expect(asClient.status).toBe(401);
    expect((await fetch(`${server.url}/api/state/${path}`)).status).toBe(401);
    const isThere = !path.endsWith("none");
    const asAdmin = await server.fetch(`/api/state/${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect(asAdmin.status).toBe(isThere ? 200 : 404);
  }
  worker.answerJson(request.id, {});
  await answer;
});

test("nothing of a request or an answer, and no key, is in what is told of a worker, a model or a job", async () => {
  server = new TestServer({ adminKeys: [ADMIN_KEY] });
  const worker = await server.worker({ worker_id: "w", worker_name: "a\u202eb\nc" });
  const answer = server.chat("m", { user: "private-user" }, { headers: { "x-request-id": "r" } });
  const request = await worker.request();
  worker.breakOff(request.id, "upstream_error", "private-detail");
  await answer;
  for (const path of ["workers/w", "models/m", "jobs/r"]) {
    const response = await server.fetch(`/api/state/${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    const text = await response.text();
    expect(text).toContain("upstream_error");
    for (const secret of ["hello", "private-user", "private-detail", API_KEY, ADMIN_KEY, "test-client-key", "\u202e"])
      expect(text).not.toContain(secret);
  }
});
