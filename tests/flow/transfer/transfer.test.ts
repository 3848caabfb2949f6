import { afterEach, describe, expect, test } from "bun:test";
import type { Deps } from "../../../src/system/deps.ts";
import { createLog } from "../../../src/system/log.ts";
import { sound } from "../../support/audio-form.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually, untilStill } from "../../support/eventually.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";
import { TransferServer } from "../../support/transfer-server.ts";

const servers: TransferServer[] = [];

function start(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}): TransferServer {
  const server = new TransferServer(overrides, deps);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const bytesOf = (count: number, seed = 1): Buffer => Buffer.from(sound(count, seed).value as Uint8Array); // sound() makes bytes

async function waiting(server: TransferServer): Promise<void> {
  // A waiting side gets no answer yet; that its place is taken shows in the answer to a second one.
  await eventually(async () => (await server.transfers()).channels.waiting > 0, "a side waits");
}

/** Waits until the reader has its place, which a HEAD does not take. */
async function readerIsThere(server: TransferServer, id: string): Promise<void> {
  await eventually(async () => (await server.read(id, { method: "HEAD" })).status === 409, "the reader waits");
}

describe("a transfer", () => {
  test("works if the reader comes first, and the writer is answered once all bytes have passed", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    await readerIsThere(server, id);
    const sent = bytesOf(3_000_000);
    const writer = server.write(id, sent);
    const got = Buffer.from(await (await reader).arrayBuffer());
    expect(got.equals(sent)).toBe(true);
    const answer = await writer;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: "ok", bytes: sent.length });
  });

  test("works if the writer comes first, with a body of unknown length in chunks of any size", async () => {
    const server = start();
    const id = await server.channel();
    const sent = bytesOf(500_000);
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= sent.length) return controller.close();
        const size = 1 + ((at * 7919) % 40_000);
        controller.enqueue(sent.subarray(at, at + size));
        at += size;
      },
    });
    const writer = server.write(id, body);
    await waiting(server);
    const response = await server.read(id);
    expect(Buffer.from(await response.arrayBuffer()).equals(sent)).toBe(true);
    expect(response.headers.get("x-transfer-length")).toBeNull();
    expect(await (await writer).json()).toEqual({ status: "ok", bytes: sent.length });
  });

  test("works for an empty body", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    expect(await (await server.write(id, "")).json()).toEqual({ status: "ok", bytes: 0 });
    expect((await (await reader).arrayBuffer()).byteLength).toBe(0);
  });

  test("works by PUT, which curl -T uses", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    expect((await server.write(id, "hello", { method: "PUT" })).status).toBe(200);
    expect(await (await reader).text()).toBe("hello");
  });

  test("works through two hundred channels at once, each with its own reader", async () => {
    // Each channel has two requests of one key in progress.
    const server = start({ maxRequestsPerKey: 400 });
    await Promise.all(
      Array.from({ length: 200 }, async (_, seed) => {
        const id = await server.channel();
        const sent = bytesOf(50_000 + seed * 100, seed + 1);
        const read = async (): Promise<Buffer> => Buffer.from(await (await server.read(id)).arrayBuffer());
        const write = async (): Promise<unknown> => (await server.write(id, sent)).json();
        // In half of the channels the writer comes first.
        const [got, told] =
          seed % 2 === 0 ? await Promise.all([read(), write()]) : (await Promise.all([write(), read()])).reverse();
        expect((got as Buffer).equals(sent)).toBe(true);
        expect(told).toEqual({ status: "ok", bytes: sent.length });
      }),
    );
    const { channels, totals, recent } = await server.transfers();
    expect(channels).toMatchObject({ waiting: 0, active: 0 });
    expect(totals.completed).toBe(200);
    // The last fifty are remembered, by their place and not by their channel.
    expect(recent.map(({ nth }) => nth)).toEqual(Array.from({ length: 50 }, (_, at) => 200 - at));
    expect(Object.keys(recent[0] ?? {}).sort()).toEqual([
      "bytes",
      "duration_ms",
      "ended_at",
      "nth",
      "outcome",
      "reader",
      "writer",
    ]);
    expect(recent[0]).toMatchObject({ outcome: "completed", writer: "api-key:1", reader: "api-key:1" });
  });

  test("survives a paused reader, while the writer waits and the server buffers little", async () => {
    const server = start();
    const id = await server.channel();
    const reader = await server.raw("GET", id);
    await readerIsThere(server, id);
    await reader.pause();
    const piece = bytesOf(64 * 1024);
    let sent = 0;
    const total = 1024;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (sent === total) return controller.close();
          sent += 1;
          controller.enqueue(piece.slice());
        },
      },
      { highWaterMark: 0 },
    );
    const writer = server.write(id, body);
    await untilStill(() => sent, "the writer waits");
    // The sockets of both sides hold a few megabytes; of 64 MiB that is a small part.
    expect(sent).toBeLessThan(total / 2);
    expect((await server.transfers()).channels.active).toBe(1);
    await reader.resume();
    expect(await (await writer).json()).toEqual({ status: "ok", bytes: total * piece.length });
    const hash = new Bun.CryptoHasher("sha256");
    let all: Buffer = Buffer.alloc(0);
    for (let bytes = 0; bytes < total * piece.length; ) {
      all = Buffer.concat([all, await reader.received.take("bytes")]);
      const end = all.indexOf("\r\n\r\n");
      if (bytes === 0) all = all.subarray(end + 4);
      const taken = dechunk(all);
      hash.update(taken.bytes);
      bytes += taken.bytes.length;
      all = taken.rest;
    }
    const wanted = new Bun.CryptoHasher("sha256");
    for (let count = 0; count < total; count += 1) wanted.update(piece);
    expect(hash.digest("hex")).toBe(wanted.digest("hex"));
  });

  test("passes single bytes on as they arrive", async () => {
    const server = start();
    const id = await server.channel();
    const reader = await server.raw("GET", id);
    const writer = await server.raw("POST", id, "Transfer-Encoding: chunked\r\n");
    for (const letter of ["a", "b", "c"]) {
      await writer.write(`1\r\n${letter}\r\n`);
      await reader.readUntil(letter);
    }
    await writer.write("0\r\n\r\n");
    await writer.readUntil('{"status":"ok","bytes":3}');
  });
});

describe("the reader's response headers", () => {
  test("repeat the writer's content type and name, and keep a browser from running the content", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    await server.write(id, "<script>", {
      headers: { "content-type": "text/html", "content-disposition": 'inline; filename="page.html"' },
    });
    const { headers } = await reader;
    expect(headers.get("content-type")).toBe("text/html");
    expect(headers.get("content-disposition")).toBe('inline; filename="page.html"');
    expect(headers.get("x-transfer-length")).toBe("8");
    expect(headers.get("content-security-policy")).toBe("sandbox");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cache-control")).toContain("no-store");
  });

  test("are harmless if the writer's headers are missing or invalid", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    await server.write(id, new Uint8Array([1]), { headers: { "content-disposition": "x".repeat(2000) } });
    const { headers } = await reader;
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(headers.get("content-disposition")).toBe("attachment");
  });
});

test("a new channel has an unguessable id and says when it expires", async () => {
  const server = start({ transferTtlMs: 60_000 });
  const response = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id, expires_at } = (await response.json()) as Record<string, string>; // checked right here
  expect(channel_id).toMatch(/^[\w-]{26}$/);
  const inMs = Date.parse(expires_at ?? "") - Date.now();
  expect(inMs).toBeGreaterThan(50_000);
  expect(inMs).toBeLessThanOrEqual(60_000);
});

describe("a reader or writer is refused", () => {
  test("with 404 at a channel that never existed", async () => {
    const server = start();
    for (const method of ["GET", "HEAD", "POST", "PUT"]) {
      const response = await server.read("never-was", { method, ...(method.startsWith("P") ? { body: "x" } : {}) });
      expect(response.status).toBe(404);
    }
  });

  test("with a final 409 at a place that is taken", async () => {
    const server = start();
    const id = await server.channel();
    const reader = server.read(id);
    await readerIsThere(server, id);
    const second = await server.read(id);
    expect(second.status).toBe(409);
    expect(second.headers.get("x-should-retry")).toBe("false");
    expect(await second.json()).toMatchObject({ error: { code: "transfer_in_use" } });
    await server.write(id, "x");
    expect(await (await reader).text()).toBe("x");
    expect((await server.read(id)).status).toBe(409);
    expect((await server.write(id, "y")).status).toBe(409);
    expect((await server.read(id, { method: "HEAD" })).status).toBe(409);
  });

  test("with 410 when the channel expires, and also later", async () => {
    const server = start({ transferTtlMs: 150 });
    for (const act of [(id: string) => server.read(id), (id: string) => server.write(id, bytesOf(100_000))]) {
      const id = await server.channel();
      const response = await act(id);
      expect(response.status).toBe(410);
      expect(await response.json()).toMatchObject({ error: { code: "transfer_expired" } });
      expect((await server.read(id)).status).toBe(410);
      expect((await server.write(id, "x")).status).toBe(410);
    }
    expect((await server.transfers()).totals.expired).toBe(2);
  });

  test("with 503 and Retry-After when too many channels are open", async () => {
    const server = start({ transferMaxChannels: 2 });
    await server.channel();
    await server.channel();
    const response = await server.fetch("/api/transfer", { method: "POST" });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).not.toBeNull();
  });

  test.each(["/api/transfer/ID", "/api/transfer/ID/", "/api//transfer/ID", "//api/transfer/ID"])(
    "never because of a HEAD, which takes no place at %s",
    async (path) => {
      const server = start();
      const id = await server.channel();
      expect((await server.fetch(path.replace("ID", id), { method: "HEAD" })).status).toBe(200);
      const reader = server.read(id);
      expect((await server.write(id, "x")).status).toBe(200);
      expect(await (await reader).text()).toBe("x");
      expect((await server.fetch(path.replace("ID", id), { method: "HEAD" })).status).toBe(409);
    },
  );

  test("but not after it left before the other side came", async () => {
    const server = start();
    const id = await server.channel();
    expect((await server.read(id, { method: "HEAD" })).status).toBe(200);
    const abort = new AbortController();
    const left = server.read(id, { signal: abort.signal }).catch(() => "left");
    await readerIsThere(server, id);
    abort.abort();
    expect(await left).toBe("left");
    await eventually(async () => (await server.read(id, { method: "HEAD" })).status === 200, "its place is free");
    const reader = server.read(id);
    expect((await server.write(id, "x")).status).toBe(200);
    expect(await (await reader).text()).toBe("x");
  });
});

describe("who may use a channel", () => {
  const ask = (server: TransferServer, headers: Record<string, string>): Promise<Response> =>
    fetch(`${server.url}/api/transfer`, { method: "POST", headers });

  test.each([
    ["an API key as Bearer", { authorization: `Bearer ${API_KEY}` }, 200],
    ["an API key in x-api-key", { "x-api-key": API_KEY }, 200],
    ["an API key in api-key", { "api-key": API_KEY }, 200],
    ["a client key", { authorization: `Bearer ${CLIENT_KEY}` }, 200],
    ["a role of clients", { "x-user-roles": "other, users" }, 200],
    ["a role of workers", { "x-user-roles": "machines" }, 200],
    ["another role", { "x-user-roles": "guests" }, 401],
    ["a wrong key", { authorization: "Bearer wrong" }, 401],
    ["nothing", {}, 401],
  ])("a caller with %s", async (_what, headers, status) => {
    const server = start({ apiRoles: ["users"], clientRoles: ["machines"] });
    const response = await ask(server, headers as Record<string, string>); // a union of such records
    expect(response.status).toBe(status);
    if (status === 401) expect(response.headers.get("www-authenticate")).toBe("Bearer");
  });

  test("anybody, if neither keys nor roles are configured", async () => {
    const server = start({ apiKeys: [], clientKeys: [] });
    expect((await ask(server, {})).status).toBe(200);
  });

  test("nobody with the id alone: reading, writing and HEAD need a key as well", async () => {
    const server = start();
    const id = await server.channel();
    for (const method of ["GET", "HEAD", "POST", "PUT"]) {
      const init = method.startsWith("P") ? { method, body: "x" } : { method };
      expect((await fetch(`${server.url}/api/transfer/${id}`, init)).status).toBe(401);
    }
    const reader = server.read(id);
    expect((await server.write(id, "x")).status).toBe(200);
    await (await reader).text();
  });
});

test("a channel id appears in no log line, metric or state except for its first characters", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", write: (line) => lines.push(line), now: Date.now });
  const server = start({}, { log });
  const id = await server.channel();
  const writer = await server.raw("POST", id, "Content-Length: 2\r\n");
  await writer.write("x");
  const reader = await server.raw("GET", id);
  await reader.readUntil("x");
  const state = await server.transfers();
  expect(state.active).toEqual([
    {
      channel: id.slice(0, 10),
      bytes: 1,
      length: 2,
      // Null until the first look at its speed.
      bytes_per_s: state.active[0]?.bytes_per_s ?? null,
      started_at: expect.stringMatching(/^\d{4}-.*Z$/) as unknown as string,
    },
  ]);
  await writer.write("y");
  await writer.readUntil('"status":"ok"');
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_transfers_total{outcome="completed"} 1');
  expect(metrics).toContain("moorage_transfer_bytes_total 2");
  expect(lines.some((line) => line.includes("transfer.ended"))).toBe(true);
  for (const text of [metrics, lines.join("\n"), JSON.stringify(state)]) expect(text).not.toContain(id);
});

/** The whole chunks at the start of `data`, and the rest. */
function dechunk(data: Buffer): { readonly bytes: Buffer; readonly rest: Buffer } {
  const bytes: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = data.indexOf("\r\n", at);
    if (line < 0) break;
    const size = Number.parseInt(data.toString("latin1", at, line), 16);
    if (line + 2 + size + 2 > data.length || size === 0) break;
    bytes.push(data.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return { bytes: Buffer.concat(bytes), rest: data.subarray(at) };
}
