import { afterEach, beforeEach, expect, test } from "bun:test";
import { API_KEY, TestServer } from "../../support/test-server.ts";

let server: TestServer;
beforeEach(() => {
  server = new TestServer();
});
afterEach(() => server.stop());

const CLIENT = "198.51.100.7";
const behindProxy = { "x-forwarded-for": CLIENT };

interface Page {
  readonly data: readonly object[];
  readonly has_more: boolean;
  readonly next: string | null;
  readonly missing_servers: readonly string[];
}

async function trail(search = ""): Promise<Page> {
  const response = await server.fetch(`/api/audit${search}`);
  return (await response.json()) as Page; // held by the assertions
}

test("sign-ins, sign-outs and actions are in the trail with who did them, and wrong keys are not", async () => {
  const signIn = (key: string): Promise<Response> =>
    fetch(`${server.url}/state/sign-in`, {
      method: "POST",
      headers: behindProxy,
      body: new URLSearchParams({ key }),
      redirect: "manual",
    });
  await signIn("wrong");
  const cookie = (await signIn(API_KEY)).headers.get("set-cookie")?.split(";")[0] ?? "";
  await server.worker({ worker_id: "w" });
  const act = (path: string): Promise<Response> =>
    fetch(`${server.url}/api/state/${path}`, {
      method: "POST",
      headers: { ...behindProxy, cookie, origin: server.url },
    });
  expect((await act("workers/w/drain")).status).toBe(200);
  expect((await act("workers/no-such/drain")).status).toBe(404);
  await fetch(`${server.url}/state/sign-out`, {
    method: "POST",
    headers: { ...behindProxy, cookie, origin: server.url },
    redirect: "manual",
  });
  const by = { who: "api-key:1", address: CLIENT };
  const { data, has_more } = await trail();
  expect(has_more).toBe(false);
  expect(data).toMatchObject([
    { ...by, what: "sign_out", about: null, detail: {} },
    { ...by, what: "worker.drain", about: "w", detail: { plugins: "llm", outcome: "done" } },
    { ...by, what: "sign_in", about: null, detail: {} },
  ]);
  expect(JSON.stringify(data)).not.toContain(API_KEY);
});

test("the trail is read in pages, and by kind and target", async () => {
  for (const id of ["a", "b", "c"]) await server.fetch(`/api/state/workers/${id}/block`, { method: "POST" });
  const first = await trail("?limit=2");
  expect(first).toMatchObject({
    data: [
      { id: 3, about: "c" },
      { id: 2, about: "b" },
    ],
    has_more: true,
    next: "2",
  });
  expect(await trail("?limit=2&after=2")).toMatchObject({ data: [{ id: 1, about: "a" }], has_more: false });
  expect(await trail("?what=worker.block&about=b&who=api-key:1")).toMatchObject({ data: [{ id: 2 }] });
  expect(await trail("?what=sign_in")).toEqual({ data: [], has_more: false, next: null, missing_servers: [] });
});
