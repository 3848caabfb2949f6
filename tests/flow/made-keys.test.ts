import { afterEach, beforeEach, expect, test } from "bun:test";
import OpenAI from "openai";
import { KeyBook } from "../../src/keys/key-book.ts";
import type { KeyKind } from "../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeyTerms } from "../../src/keys/key-terms.ts";
import { systemClock } from "../../src/system/clock.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { TestServer } from "../support/test-server.ts";

const BY = { by: "admin-key:1" };

let book: KeyBook;
let server: TestServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = new TestServer({ clientKeys: [], plugins: ["llm", "transfer"] }, {}, undefined, undefined, undefined, {
    book,
    isKept: true,
    file: undefined,
  });
});
afterEach(() => server.stop());

const make = (kind: KeyKind, terms: Partial<KeyTerms> = {}) =>
  book.create({ kind, terms: { name: kind, limits: {}, ...terms } }, BY);
const statusFor = async (key: string): Promise<number> =>
  (await server.fetch("/v1/models", { headers: { authorization: `Bearer ${key}` } })).status;
const connect = (key: string): Promise<NativeWorker> =>
  NativeWorker.connect({ url: server.url, register: { client_key: key, models: ["m"], worker_id: "gpu" } });

test("a replaced key is refused with key_rotated once the overlap is over", async () => {
  const { entry, text } = make("client");
  const next = book.rotate(entry.id, 0, BY);
  const refused = await server.fetch("/v1/models", { headers: { authorization: `Bearer ${text}` } });
  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ error: { code: "key_rotated", type: "authentication_error" } });
  expect(await statusFor(next.text)).toBe(200);
});

test("the official SDK sees a revoked key as an authentication error with its code, and does not retry", async () => {
  const { entry, text } = make("client");
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: text });
  await client.models.list();
  book.revoke(entry.id, BY);
  const error: unknown = await client.models.list().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(error).toMatchObject({ status: 401, code: "key_revoked" });
});

test("a worker's key is let in, keeps its worker over a rotation, and disconnects it when it is revoked", async () => {
  const { entry, text } = make("worker");
  const worker = await connect(text);
  const next = book.rotate(entry.id, 0, BY);
  expect(worker.socket.readyState).toBe(WebSocket.OPEN);
  const second = await connect(next.text);
  book.revoke(entry.id, BY);
  expect(await second.closed).toEqual({ code: 1008, reason: "client key removed" });
  await expect(connect(next.text)).rejects.toThrow();
}, 20_000);

test("a worker whose key has expired is disconnected", async () => {
  const { entry, text } = make("worker");
  const worker = await connect(text);
  // In the future, so that the change itself disconnects nobody.
  book.update(entry.id, { terms: { expiresAt: systemClock.now() + 200 }, limits: {} });
  expect(await worker.closed).toEqual({ code: 1008, reason: "client key removed" });
}, 20_000);

test("the first join token shuts the door for workers as well, before anybody has joined", async () => {
  const worker = await NativeWorker.connect({ url: server.url, register: { models: ["m"] } });
  const { text } = make("join");
  expect((await worker.closed).code).toBe(1008);
  await expect(NativeWorker.connect({ url: server.url, register: { models: ["m"] } })).rejects.toThrow();
  const joined = await NativeWorker.connect({ url: server.url, register: { models: ["m"], join_token: text } });
  expect(joined.socket.readyState).toBe(WebSocket.OPEN);
}, 20_000);

test("the first key for workers shuts their door, and disconnects those that came without one", async () => {
  const worker = await NativeWorker.connect({ url: server.url, register: { models: ["m"] } });
  make("client");
  expect(worker.socket.readyState).toBe(WebSocket.OPEN);
  make("worker");
  expect((await worker.closed).code).toBe(1008);
  await expect(NativeWorker.connect({ url: server.url, register: { models: ["m"] } })).rejects.toThrow();
}, 20_000);

test("a worker's key transfers for as long as it is valid, as a client's key does", async () => {
  const { entry, text } = make("worker");
  const headers = { authorization: `Bearer ${text}` };
  const open = async (): Promise<string> => {
    const made = await server.fetch("/api/transfer", { method: "POST", headers });
    const { channel_id } = (await made.json()) as { channel_id: string }; // the tests of transfers check this shape
    return `/api/transfer/${channel_id}`;
  };
  const [first, second] = [await open(), await open()];
  const [read, left] = [server.fetch(first, { headers }), server.fetch(second, { headers })];
  // Longer than the server takes to look for keys that have ended.
  await Bun.sleep(1500);
  const written = await server.fetch(first, { method: "POST", headers, body: "hello" });
  expect([written.status, await (await read).text()]).toEqual([200, "hello"]);
  book.revoke(entry.id, BY);
  const ended = await left;
  expect([ended.status, await ended.json()]).toMatchObject([401, { error: { code: "key_revoked" } }]);
}, 20_000);
