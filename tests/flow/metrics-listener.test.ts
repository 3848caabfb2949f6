import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TestServer } from "../support/test-server.ts";

let server: TestServer;
let base = "";
beforeAll(() => {
  server = new TestServer({ metricsListener: { host: "127.0.0.1", port: 0 } });
  base = (server.listening.metricsUrl ?? "").replace(/\/metrics$/, "");
});
afterAll(() => server.stop());

describe("the separate listener of /metrics", () => {
  test.each(["/metrics", "/metrics/", "/metrics?x=1"])("answers GET and HEAD at %s", async (path) => {
    const got = await fetch(base + path);
    expect([got.status, got.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/plain")]);
    expect(got.headers.get("x-request-id")).toMatch(/^req_/);
    expect(await got.text()).toContain("moorage_build_info");
    const head = await fetch(base + path, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("refuses %s as any other route does", async (method) => {
    const response = await fetch(`${base}/metrics`, { method, headers: { "x-request-id": "mine" } });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(response.headers.get("x-request-id")).toBe("mine");
    expect(await response.json()).toMatchObject({ error: { code: "method_not_allowed" } });
  });

  test.each(["/", "/metrics/more", "/state", "/v1/models"])("has nothing at %s", async (path) => {
    const response = await fetch(base + path);
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: expect.objectContaining({ code: "unknown_url" }) },
    ]);
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });

  test("leaves no /metrics on the public one", async () => {
    expect((await server.fetch("/metrics")).status).toBe(404);
  });
});

test("only the separate listener names workers, since anybody may read the metrics of the public one", async () => {
  const open = new TestServer();
  for (const each of [server, open]) await each.worker({ models: ["m"], worker_id: "gpu-1", worker_name: "rack 7" });
  const own = await (await fetch(`${base}/metrics`)).text();
  expect(own).toContain('moorage_worker_slots{plugin="llm",worker="gpu-1",name="rack 7"} 1');
  const shared = await (await open.fetch("/metrics")).text();
  expect(shared).toContain('moorage_slots{plugin="llm"} 1');
  expect(shared).not.toMatch(/gpu-1|rack 7/);
  await open.stop();
});
