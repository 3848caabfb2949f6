import { afterEach, beforeEach, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { readKeysFile } from "../../../src/keys/keys-file.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

const ADMIN_KEY = "test-admin-key";
const HASH = "3f0c2bf1c7e05f29a4b3c5c9f1b1f7a6a0f7b1a5c2d3e4f5061728394a5b6c7d";

type Json = Readonly<Record<string, unknown>>;
interface Made extends Json {
  readonly id: string;
  readonly key: string;
}

let book: KeyBook;
let server: TestServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = start(book);
});
afterEach(() => server.stop());

function start(keys: KeyBook | undefined, isKept = true): TestServer {
  const opened = keys && { book: keys, isKept, file: undefined };
  return new TestServer({ adminKeys: [ADMIN_KEY] }, {}, undefined, undefined, undefined, opened);
}

/** Sends a request of an operator, or of the holder of `key`. */
async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Json };
}

async function make(spec: Json, headers: Record<string, string> = {}): Promise<Made> {
  const { status, json } = await ask("POST", "/api/keys", spec, headers);
  expect(status).toBe(201);
  return json as Made; // what the test above it has checked
}

const withKey = (key: string) => ({ authorization: `Bearer ${key}` });
const codeOf = ({ json }: { readonly json: Json }): unknown => (json["error"] as Json | undefined)?.["code"];

test("a key is made with what was asked for, and no later answer shows it", async () => {
  const { status, headers, json } = await ask("POST", "/api/keys", {
    name: "ci",
    tenant: "research",
    models: ["qwen*"],
    class: "background",
    weight: 2,
    limits: { parallel: 4, tokens_per_day: "2M", timezone: "Europe/Berlin" },
    expires_at: "2099-01-31T00:00:00+01:00",
  });
  expect(status).toBe(201);
  expect(headers.get("cache-control")).toBe("no-store");
  const { key, ...rest } = json as Made;
  expect(key).toMatch(/^mk_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
  expect(rest).toMatchObject({
    id: key.split("_")[1],
    name: "ci",
    kind: "client",
    source: "made",
    status: "active",
    tenant: "research",
    models: ["qwen*"],
    class: "background",
    weight: 2,
    limits: { parallel: 4, tokens_per_day: 2_000_000, timezone: "Europe/Berlin" },
    used: [
      { limit: "parallel", used: 0, max: 4, resets_at: null },
      { limit: "tokens_per_day", used: 0, max: 2_000_000, resets_at: expect.stringMatching(/T2[23]:00:00/) },
    ],
    expires_at: "2099-01-30T23:00:00.000Z",
    created_by: "admin-key:1",
    last_used_at: null,
  });
  const shown = await ask("GET", `/api/keys/${rest.id}`);
  expect(shown.json).toEqual(rest);
  const list = await ask("GET", "/api/keys");
  expect(list.json).toEqual({ data: [rest], has_more: false, total: 1 });
  expect((await ask("GET", "/v1/models", undefined, withKey(key))).status).toBe(200);
});

test("a repeated request with one Idempotency-Key makes one key and shows it again", async () => {
  const name = { "idempotency-key": "run-17" };
  const first = await make({ name: "ci" }, name);
  expect(await make({ name: "ci" }, name)).toEqual(first);
  expect(codeOf(await ask("POST", "/api/keys", { name: "other" }, name))).toBe("invalid_request");
  const rotated = await ask("POST", `/api/keys/${first.id}/rotate`, { overlap: "1h" }, name);
  const again = await ask("POST", `/api/keys/${first.id}/rotate`, { overlap: "1h" }, name);
  expect(rotated.status).toBe(200);
  expect(again.json["key"]).toBe(rotated.json["key"]);
  expect(rotated.json["key"]).not.toBe(first.key);
  expect(book.list()).toHaveLength(1);
  expect(codeOf(await ask("POST", "/api/keys", { name: "ci" }, { "idempotency-key": "x".repeat(256) }))).toBe(
    "invalid_request",
  );
});

test("a change sets fields, takes others away, and leaves the rest", async () => {
  const { id } = await make({ name: "ci", models: ["a"], limits: { parallel: 1, requests_per_minute: 60 } });
  const changed = await ask("PATCH", `/api/keys/${id}`, { models: null, limits: { parallel: 2 }, weight: 3 });
  expect(changed.json).toMatchObject({
    name: "ci",
    models: null,
    weight: 3,
    limits: { parallel: 2, requests_per_minute: 60 },
  });
  const wrong = await ask("PATCH", `/api/keys/${id}`, { limits: { paralel: 3 } });
  expect(wrong.status).toBe(400);
  expect(wrong.json).toMatchObject({
    error: {
      code: "invalid_request",
      param: "limits.paralel",
      message: expect.stringContaining("did you mean 'parallel'"),
    },
  });
  const unknown = await ask("PATCH", "/api/keys/no-such-key", { weight: 3 });
  expect([unknown.status, codeOf(unknown)]).toEqual([404, "key_not_found"]);
});

test("a revoked key is refused at once, stays in the list, and cannot come back", async () => {
  const { id, key } = await make({ name: "ci" });
  const revoked = await ask("DELETE", `/api/keys/${id}`);
  expect(revoked.json).toMatchObject({ id, status: "revoked", revoked_by: "admin-key:1" });
  const refused = await ask("GET", "/v1/models", undefined, withKey(key));
  expect([refused.status, codeOf(refused)]).toEqual([401, "key_revoked"]);
  expect((await ask("DELETE", `/api/keys/${id}`)).json).toEqual(revoked.json);
  expect(codeOf(await ask("PATCH", `/api/keys/${id}`, { weight: 2 }))).toBe("invalid_request");
  expect(codeOf(await ask("POST", `/api/keys/${id}/rotate`))).toBe("invalid_request");
  expect((await ask("GET", "/api/keys?status=active")).json).toEqual({ data: [], has_more: false, total: 0 });
});

test("a rotation without a body accepts the former secret for a day, and one without overlap ends all of them", async () => {
  const { id, key } = await make({ name: "ci" });
  const { json } = await ask("POST", `/api/keys/${id}/rotate`);
  const until = Date.parse((json["former"] as { valid_until: string }[])[0]?.valid_until ?? "");
  expect(Math.abs(until - Date.now() - 86_400_000)).toBeLessThan(60_000);
  expect((await ask("GET", "/v1/models", undefined, withKey(key))).status).toBe(200);
  const last = await ask("POST", `/api/keys/${id}/rotate`, { overlap: 0 });
  expect(last.json["former"]).toEqual([]);
  expect((await ask("GET", "/v1/models", undefined, withKey(String(last.json["key"])))).status).toBe(200);
  expect((await ask("GET", "/v1/models", undefined, withKey(key))).status).toBe(401);
  expect((await ask("GET", "/v1/models", undefined, withKey(String(json["key"])))).status).toBe(401);
  for (const body of [{ overlap: "soon" }, { overlap: "91d" }, { overlap: {} }, { after: "1h" }, [], "1h"])
    expect((await ask("POST", `/api/keys/${id}/rotate`, body)).status).toBe(400);
});

test("the sign-in form says why a key that was valid once is refused", async () => {
  const { id, key } = await make({ name: "root", kind: "admin" });
  const signIn = async (): Promise<[number, string]> => {
    const init = { method: "POST", body: new URLSearchParams({ key }), redirect: "manual" } as const;
    const answer = await fetch(`${server.url}/state/sign-in`, init);
    return [answer.status, await answer.text()];
  };
  expect((await signIn())[0]).toBe(303);
  await ask("DELETE", `/api/keys/${id}`);
  const [status, page] = await signIn();
  expect(status).toBe(401);
  expect(page).toContain("This key was revoked.");
  expect(page).toContain("</form>");
  expect(page).not.toContain(key);
  // A program that opens the page with that key is sent to the form as well.
  const opened = await fetch(`${server.url}/state`, { headers: withKey(key) });
  expect([opened.status, await opened.text()]).toEqual([200, expect.stringContaining("</form>")]);
});

test("keys are listed in pages, and by name, kind and state", async () => {
  for (const name of ["a", "b", "c", "b"]) await make({ name });
  await make({ name: "root", kind: "admin" });
  const names = async (search: string) => {
    const { json } = await ask("GET", `/api/keys${search}`);
    const { data, has_more } = json as { data: { id: string; name: string }[]; has_more: boolean }; // held below
    return { names: data.map(({ name }) => name).join(), more: has_more, last: data.at(-1)?.id };
  };
  const first = await names("?limit=2");
  expect(first).toMatchObject({ names: "a,b", more: true });
  expect(await names(`?limit=3&after=${first.last}`)).toMatchObject({ names: "c,b,root", more: false });
  expect(await names("?name=b&limit=1")).toMatchObject({ names: "b", more: true });
  expect(await names("?kind=admin")).toMatchObject({ names: "root", more: false });
  for (const search of ["limit=0", "limit=1001", "kind=user", "status=old", "after=none"])
    expect((await ask("GET", `/api/keys?${search}`)).status).toBe(400);
});

test("keys of the file are listed, and are changed in the file alone", async () => {
  const text = `keys:\n  - name: ci\n    key: sha256:${HASH}\n    limits: { parallel: 4 }\n`;
  const read = readKeysFile(text, { env: {}, readFile: () => "" }, Date.now());
  if (!read.ok) throw new Error(read.faults.join());
  book.replaceFile(read.entries);
  const { json } = await ask("GET", "/api/keys/file:ci");
  expect(json).toMatchObject({ id: "file:ci", name: "ci", source: "file", limits: { parallel: 4 } });
  const tries = [
    await ask("PATCH", "/api/keys/file:ci", { weight: 2 }),
    await ask("DELETE", "/api/keys/file:ci"),
    await ask("POST", "/api/keys/file:ci/rotate"),
  ];
  for (const refused of tries) {
    expect([refused.status, codeOf(refused)]).toEqual([409, "key_in_file"]);
    expect(JSON.stringify(refused.json)).toContain("KEYS_FILE");
  }
});

test("a server without DATA_DIR makes no keys and says what to set", async () => {
  await server.stop();
  server = start(undefined);
  const tries = [
    await ask("POST", "/api/keys", { name: "ci" }),
    await ask("GET", "/api/keys"),
    await ask("DELETE", "/api/keys/k"),
  ];
  for (const refused of tries) {
    expect([refused.status, codeOf(refused)]).toEqual([409, "keys_not_kept"]);
    expect(JSON.stringify(refused.json)).toContain("DATA_DIR");
  }
  await server.stop();
  server = start(book, false);
  expect(codeOf(await ask("POST", "/api/keys", { name: "ci" }))).toBe("keys_not_kept");
  expect((await ask("GET", "/api/keys")).json).toEqual({ data: [], has_more: false, total: 0 });
});

test("only operators reach the keys, among them the holders of made admin keys", async () => {
  const client = await make({ name: "ci" });
  const worker = await make({ name: "gpu", kind: "worker" });
  const admin = await make({ name: "root", kind: "admin" });
  for (const key of [API_KEY, client.key, worker.key, "nonsense"]) {
    for (const [method, path] of [
      ["GET", "/api/keys"],
      ["GET", `/api/keys/${client.id}`],
      ["POST", "/api/keys"],
      ["PATCH", `/api/keys/${client.id}`],
      ["DELETE", `/api/keys/${client.id}`],
      ["POST", `/api/keys/${client.id}/rotate`],
    ] as const)
      expect((await ask(method, path, method === "GET" ? undefined : {}, withKey(key))).status).toBe(401);
  }
  expect(book.get(client.id)?.revokedAt).toBeUndefined();
  const made = await ask("POST", "/api/keys", { name: "by-root" }, withKey(admin.key));
  expect(made.json).toMatchObject({ created_by: `key:${admin.id}` });
  expect((await ask("GET", "/api/state", undefined, withKey(admin.key))).status).toBe(200);
});

test("a page of another site cannot change keys with an operator's cookie", async () => {
  const { id } = await make({ name: "ci" });
  const form = { method: "POST", body: new URLSearchParams({ key: ADMIN_KEY }), redirect: "manual" as const };
  const cookie = (await fetch(`${server.url}/state/sign-in`, form)).headers.get("set-cookie")?.split(";")[0] ?? "";
  const send = (method: string, path: string, headers: Record<string, string>, body?: string): Promise<Response> =>
    fetch(`${server.url}${path}`, { method, headers: { cookie, ...headers }, ...(body !== undefined && { body }) });
  const foreign = { origin: "https://elsewhere.example", "content-type": "text/plain" };
  expect((await send("POST", "/api/keys", foreign, '{"name":"theirs"}')).status).toBe(403);
  expect((await send("DELETE", `/api/keys/${id}`, foreign)).status).toBe(403);
  expect((await send("DELETE", `/api/keys/${id}`, { "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect(book.list().map(({ revokedAt }) => revokedAt)).toEqual([undefined]);
  expect((await send("DELETE", `/api/keys/${id}`, { origin: server.url })).status).toBe(200);
});

test("a holder sees the own key, its limits and what was used of them", async () => {
  const { id, key } = await make({ name: "ci", models: ["m"], limits: { tokens_per_day: 1000 } });
  const worker = await server.worker();
  const chat = server.chat("m", {}, { headers: withKey(key) });
  worker.answerJson((await worker.request()).id, { choices: [], usage: { prompt_tokens: 30, completion_tokens: 12 } });
  expect((await chat).status).toBe(200);
  const own = await ask("GET", "/api/key", undefined, withKey(key));
  expect(own.json).toEqual({
    id,
    name: "ci",
    tenant: "default",
    models: ["m"],
    mcp: null,
    limits: { tokens_per_day: 1000 },
    weight: 1,
    class: "normal",
    expires_at: null,
    kind: "client",
    hint: `mk_${id.slice(0, 4)}…`,
    used: [{ limit: "tokens_per_day", used: 42, max: 1000, resets_at: expect.stringMatching(/T00:00:00.000Z$/) }],
    tenant_limits: {},
    tenant_used: [],
  });
  const listed = await ask("GET", "/api/key", undefined, withKey(API_KEY));
  expect(listed.json).toMatchObject({ id: "api-key:1", limits: {}, used: [], models: null });
  expect((await ask("GET", "/api/key", undefined, withKey("nonsense"))).status).toBe(401);
  expect((await ask("GET", "/api/usage?by=key")).json).toMatchObject({ rows: [{ key: id, key_name: "ci" }] });
});

test("each change of a key is in the audit trail, and a repetition is not", async () => {
  const name = { "idempotency-key": "n" };
  const { id } = await make({ name: "ci" }, name);
  await make({ name: "ci" }, name);
  await ask("PATCH", `/api/keys/${id}`, { weight: 2, limits: { parallel: 1 } });
  await ask("PATCH", `/api/keys/${id}`, { weight: 2 });
  await ask("POST", `/api/keys/${id}/rotate`, { overlap: "2h" }, name);
  await ask("POST", `/api/keys/${id}/rotate`, { overlap: "2h" }, name);
  await ask("DELETE", `/api/keys/${id}`);
  await ask("DELETE", `/api/keys/${id}`);
  const { json } = await ask("GET", "/api/audit");
  const by = { who: "admin-key:1", address: "127.0.0.1", about: id };
  expect(json["data"]).toMatchObject([
    { ...by, what: "key.revoke", detail: { name: "ci" } },
    { ...by, what: "key.rotate", detail: { name: "ci", overlap_s: 7200 } },
    { ...by, what: "key.update", detail: { name: "ci", fields: "weight,limits.parallel" } },
    { ...by, what: "key.create", detail: { name: "ci", kind: "client" } },
  ]);
});

test("bodies that are no JSON or too large are refused as such", async () => {
  const send = async (body: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await fetch(`${server.url}/api/keys`, { method: "POST", headers, body });
    return codeOf({ json: (await response.json()) as Json });
  };
  expect(await send("{")).toBe("invalid_json");
  expect(await send("")).toBe("invalid_request");
  expect(await send(`{"name":"${"x".repeat(200_000)}"}`)).toBe("request_too_large");
});
