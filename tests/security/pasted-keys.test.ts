import { afterEach, beforeEach, expect, test } from "bun:test";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import { systemClock } from "../../src/system/clock.ts";
import { KeyMask } from "../../src/system/key-mask.ts";
import { createLog } from "../../src/system/log.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { TestServer } from "../support/test-server.ts";

const ADMIN_KEY = "admin-key-that-was-pasted";
const CLIENT_KEY = "client-key-that-was-pasted";

let server: TestServer;
let made: string;
let token: string;
const lines: string[] = [];

beforeEach(() => {
  const mask = new KeyMask();
  const log = createLog({
    level: "debug",
    format: "json",
    write: (line) => void lines.push(line),
    now: Date.now,
    mask,
  });
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const make = (kind: "client" | "join"): string =>
    book.create({ kind, terms: { name: kind, limits: {} } }, { by: "admin-key:1" }).text;
  made = make("client");
  token = make("join");
  const overrides = { adminKeys: [ADMIN_KEY], clientKeys: [CLIENT_KEY] };
  const opened = { book, isKept: true, file: undefined };
  server = new TestServer(overrides, { log, mask }, undefined, undefined, undefined, opened);
});
afterEach(async () => {
  await server.stop();
  lines.splice(0);
});

const asAdmin = { headers: { authorization: `Bearer ${ADMIN_KEY}` } };

test("a key that is pasted in place of an id or a name is in no log line, and not in the audit trail", async () => {
  const secrets = [made, token].map((key) => key.split("_")[2] ?? "");
  const told: string[] = [];
  const send = async (path: string, init: RequestInit = {}): Promise<number> => {
    const response = await server.fetch(path, { ...asAdmin, ...init });
    told.push(await response.text());
    return response.status;
  };
  for (const key of [made, token, ADMIN_KEY, CLIENT_KEY, `Bearer ${made}`]) {
    const id = encodeURIComponent(key);
    for (const action of ["workers/ID/drain", "workers/ID/block", "workers/ID/disconnect", "jobs/ID/cancel"])
      expect([action, await send(`/api/state/${action.replace("ID", id)}`, { method: "POST" })]).toEqual([action, 400]);
    for (const [method, body] of [
      ["DELETE", null],
      ["PUT", JSON.stringify({ limits: { parallel: 1 } })],
    ] as const)
      await send(`/api/tenants/${id}`, { method, body });
    await send(`/api/keys/${id}`, { method: "DELETE" });
    await send(`/api/keys/${id}/rotate`, { method: "POST", body: "{}" });
    await send(`/api/keys?search=${id}`);
    await send(`/api/audit?about=${id}`);
    const request = { method: "POST", headers: { authorization: `Bearer ${made}`, "x-request-id": key } };
    await send("/v1/chat/completions", { ...request, body: JSON.stringify({ model: key, messages: [] }) });
    // A worker whose id was mixed up with its key.
    const register = { client_key: CLIENT_KEY, worker_id: key, models: ["m"], max_concurrency: 1 };
    const worker = new NativeWorker({ url: server.url, register });
    await Promise.race([worker.closed, Bun.sleep(50)]);
    worker.close();
  }
  for (const name of [made, token]) {
    const body = JSON.stringify({ name });
    expect(await send("/api/keys", { method: "POST", body })).toBe(400);
    expect(told.at(-1)).toContain("'name' must be a name, and not a key.");
  }
  const trail = await (await server.fetch("/api/audit?limit=1000", asAdmin)).text();
  for (const secret of [...secrets, ADMIN_KEY, CLIENT_KEY]) {
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    expect(trail).not.toContain(secret);
  }
  // The lines are there, with the part of the key by which people know it.
  const ended = lines.find((line) => line.includes("job.ended"));
  expect(ended).toContain(`"model":"${made.slice(0, 7)}…"`);
});

test("keys that a reload brings are masked from then on", async () => {
  server.app.reload({ ...server.config, adminKeys: ["another-key-that-was-pasted"] });
  const { headers } = asAdmin;
  const body = JSON.stringify({ name: "another-key-that-was-pasted" });
  expect((await server.fetch("/api/keys", { method: "POST", headers, body })).status).toBe(201);
  const trail = await (await server.fetch("/api/audit", { headers })).text();
  expect(trail).toContain('"name":"[key]"');
});
