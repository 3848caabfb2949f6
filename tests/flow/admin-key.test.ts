import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

const ADMIN_KEY = "test-admin-key";

let server: TestServer;
afterEach(() => server.stop());

const by = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });

async function statusOf(path: string, key: string, method = "GET"): Promise<number> {
  const response = await server.fetch(path, { ...by(key), method });
  await response.body?.cancel();
  return response.status;
}

/** The codes of the problems that the server reports. */
async function problemsOf(key: string): Promise<readonly string[]> {
  const { server: state } = (await (await server.fetch("/api/state", by(key))).json()) as {
    server: { problems: { code: string }[] };
  }; // The State API's shape, held by its own tests.
  return state.problems.map(({ code }) => code);
}

function signIn(key: string): Promise<Response> {
  const body = new URLSearchParams({ key });
  return fetch(`${server.url}/state/sign-in`, { method: "POST", body, redirect: "manual" });
}

describe("a server with an admin key", () => {
  test("shows its state and takes actions only with that key", async () => {
    server = new TestServer({ adminKeys: [ADMIN_KEY] });
    await server.worker({ worker_id: "gpu" });
    for (const path of ["/api/state", "/api/state/stream", "/api/state/history", "/api/state/view/llm.html"])
      expect([path, await statusOf(path, API_KEY), await statusOf(path, ADMIN_KEY)]).toEqual([path, 401, 200]);
    for (const path of ["/api/state/workers/gpu/drain", "/api/state/token"])
      expect([path, await statusOf(path, API_KEY, "POST"), await statusOf(path, ADMIN_KEY, "POST")]).toEqual([
        path,
        401,
        200,
      ]);
    expect([await statusOf("/v1/models", API_KEY), await statusOf("/v1/models", ADMIN_KEY)]).toEqual([200, 401]);
  });

  test("asks for that key on its sign-in page and accepts no API key there", async () => {
    server = new TestServer({ adminKeys: [ADMIN_KEY] });
    expect(await (await fetch(`${server.url}/state`)).text()).toContain(">Admin key</label>");
    const refused = await signIn(API_KEY);
    expect(refused.status).toBe(401);
    const page = await refused.text();
    expect(page).toContain("This is not a valid admin key.");
    expect(page).not.toContain(API_KEY);
    const cookie = (await signIn(ADMIN_KEY)).headers.get("set-cookie")?.split(";")[0] ?? "";
    const state = await fetch(`${server.url}/api/state`, { headers: { cookie } });
    expect(state.status).toBe(200);
    expect(await state.text()).not.toContain(ADMIN_KEY);
  });

  test("lets its operator try the API with a token", async () => {
    server = new TestServer({ adminKeys: [ADMIN_KEY] });
    const issued = await server.fetch("/api/state/token", { ...by(ADMIN_KEY), method: "POST" });
    const { token } = (await issued.json()) as { token: string }; // What the API promises.
    expect([await statusOf("/v1/models", token), await statusOf("/api/state", token)]).toEqual([200, 401]);
  });

  test("reports no problem with its keys", async () => {
    server = new TestServer({ adminKeys: [ADMIN_KEY] });
    // The first look at the problems finds the missing workers, and would find this one as well.
    await eventually(async () => (await problemsOf(ADMIN_KEY)).includes("no_workers"), "it has looked", 15_000);
    expect(await problemsOf(ADMIN_KEY)).not.toContain("admin_key_not_set");
  }, 20_000);
});

test("a server without an admin key reports that API keys open its dashboard", async () => {
  server = new TestServer();
  expect(await statusOf("/api/state", API_KEY)).toBe(200);
  await eventually(async () => (await problemsOf(API_KEY)).includes("admin_key_not_set"), "the problem is there");
});
