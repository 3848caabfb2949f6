import { afterEach, beforeEach, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { TenantBook } from "../../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../../src/keys/tenant-records.ts";
import { systemClock } from "../../../src/system/clock.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

const ADMIN_KEY = "test-admin-key";
const BY = { by: "cli" };

type Json = Readonly<Record<string, unknown>>;

let book: KeyBook;
let server: TestServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: systemClock });
  const opened = { book, tenants, isKept: true, file: undefined };
  server = new TestServer({ adminKeys: [ADMIN_KEY] }, {}, undefined, undefined, undefined, opened);
});
afterEach(() => server.stop());

const make = (tenant: string | undefined, terms: Partial<KeyTerms> = {}): string =>
  book.create({ kind: "client", terms: { name: "k", limits: {}, tenant, ...terms } }, BY).text;

async function ask(method: string, path: string, body?: unknown, key = ADMIN_KEY) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Json };
}
const codeOf = ({ json }: { readonly json: Json }): unknown => (json["error"] as Json | undefined)?.["code"];

const chat = (key: string): Promise<Response> => server.chat("m", {}, { headers: { authorization: `Bearer ${key}` } });
async function answer(worker: NativeWorker, tokens: number): Promise<void> {
  const { id } = await worker.request();
  worker.answerJson(id, { choices: [], usage: { prompt_tokens: tokens, completion_tokens: 0 } });
}

test("an operator sets, reads, lists and removes the limits of a tenant, and the trail has each change", async () => {
  const limits = { parallel: 8, tokens_per_day: "5M" };
  const set = await ask("PUT", "/api/tenants/research", { limits });
  const shown = {
    name: "research",
    limits: { parallel: 8, tokens_per_day: 5_000_000 },
    source: "made",
    changed_by: "admin-key:1",
  };
  expect(set.status).toBe(200);
  expect(set.json).toMatchObject({
    ...shown,
    used: [
      { limit: "parallel", used: 0, max: 8 },
      { limit: "tokens_per_day", used: 0, max: 5_000_000 },
    ],
  });
  expect((await ask("GET", "/api/tenants/research")).json).toEqual(set.json);
  expect((await ask("GET", "/api/tenants")).json).toEqual({ data: [set.json], has_more: false, total: 1 });
  await ask("PUT", "/api/tenants/research", { limits: { parallel: 9 } });
  expect((await ask("DELETE", "/api/tenants/research")).json).toMatchObject({ limits: { parallel: 9 } });
  expect(codeOf(await ask("GET", "/api/tenants/research"))).toBe("tenant_not_found");
  const trail = (await ask("GET", "/api/audit")).json["data"] as readonly Json[];
  expect(trail.map(({ what, about, detail }) => ({ what, about, detail }))).toEqual([
    { what: "tenant.remove", about: "research", detail: {} },
    { what: "tenant.limits", about: "research", detail: { fields: "parallel,tokens_per_day" } },
    { what: "tenant.limits", about: "research", detail: { fields: "parallel,tokens_per_day" } },
  ]);
});

test("the list of tenants comes in pages, and a page begins after a tenant that is there no longer", async () => {
  for (let each = 0; each < 105; each += 1)
    await ask("PUT", `/api/tenants/t${String(each).padStart(3, "0")}`, { limits: { parallel: 1 } });
  const page = async (query: string) => {
    const { json } = await ask("GET", `/api/tenants?${query}`);
    return {
      names: (json["data"] as readonly Json[]).map(({ name }) => name),
      more: json["has_more"],
      total: json["total"],
    };
  };
  const first = await page("");
  expect([first.names.length, first.names[0], first.more, first.total]).toEqual([100, "t000", true, 105]);
  await ask("DELETE", "/api/tenants/t099");
  expect(await page("after=t099")).toEqual({
    names: ["t100", "t101", "t102", "t103", "t104"],
    more: false,
    total: 104,
  });
  expect(await page("limit=2&offset=3")).toEqual({ names: ["t003", "t004"], more: true, total: 104 });
  expect((await page("after=t104")).names).toEqual([]);
  expect(codeOf(await ask("GET", "/api/tenants?limit=0"))).toBe("invalid_request");
});

test("a request that is not valid says what is wrong, and clients set nothing", async () => {
  const wrong = await ask("PUT", "/api/tenants/research", { limits: { paralel: 1 } });
  expect(wrong.json["error"]).toMatchObject({
    code: "invalid_request",
    param: "limits.paralel",
    message: "'limits.paralel' is not a field of a tenant; did you mean 'parallel'?",
  });
  expect(codeOf(await ask("PUT", "/api/tenants/research", { limits: {} }))).toBe("invalid_request");
  expect(codeOf(await ask("PUT", "/api/tenants/research", {}))).toBe("invalid_request");
  expect(codeOf(await ask("PUT", `/api/tenants/${"x".repeat(129)}`, { limits: { parallel: 1 } }))).toBe(
    "invalid_request",
  );
  for (const key of [API_KEY, make("research")]) {
    expect((await ask("GET", "/api/tenants", undefined, key)).status).toBe(401);
    expect((await ask("PUT", "/api/tenants/research", { limits: { parallel: 1 } }, key)).status).toBe(401);
  }
});

test("a holder sees what the own tenant shares, and headers tell the tighter limit", async () => {
  const worker = await server.worker({ max_concurrency: 4 });
  const [one, other] = [make("research", { limits: { tokensPerDay: 5000 } }), make("research")];
  await ask("PUT", "/api/tenants/research", { limits: { tokens_per_day: 1000 } });
  const first = chat(one);
  await answer(worker, 300);
  expect((await first).status).toBe(200);
  const { json } = await ask("GET", "/api/key", undefined, other);
  expect(json).toMatchObject({
    tenant: "research",
    limits: {},
    tenant_limits: { tokens_per_day: 1000 },
    tenant_used: [{ limit: "tokens_per_day", used: 300, max: 1000 }],
  });
  const second = chat(one);
  await answer(worker, 100);
  const { headers } = await second;
  expect(headers.get("x-ratelimit-limit-tokens")).toBe("1000");
  expect((await ask("GET", "/api/key", undefined, make(undefined))).json).toMatchObject({
    tenant_limits: {},
    tenant_used: [],
  });
});

test("a budget that one key has used up ends the requests of the whole tenant, and of nobody else", async () => {
  const worker = await server.worker({ max_concurrency: 4 });
  const [one, two, stranger] = [make("research"), make("research"), make("art")];
  await ask("PUT", "/api/tenants/research", { limits: { tokens_per_day: 100 } });
  const first = chat(one);
  await answer(worker, 150);
  expect((await first).status).toBe(200);
  const refused = await chat(two);
  expect([refused.status, refused.headers.get("x-should-retry")]).toEqual([429, "false"]);
  const { error } = (await refused.json()) as { error: Json }; // the shape of every error
  expect(error["code"]).toBe("insufficient_quota");
  expect(error["message"]).toStartWith("The tenant 'research' has used up its budget of 100 tokens for this day.");
  const others = chat(stranger);
  await answer(worker, 1);
  expect((await others).status).toBe(200);
  await ask("DELETE", "/api/tenants/research");
  const after = chat(two);
  await answer(worker, 1);
  expect((await after).status).toBe(200);
});
