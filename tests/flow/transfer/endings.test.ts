import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually, untilStill } from "../../support/eventually.ts";
import type { RawClient } from "../../support/raw-client.ts";
import { API_KEY } from "../../support/test-server.ts";
import { TransferServer } from "../../support/transfer-server.ts";

const servers: TransferServer[] = [];

function start(overrides: Partial<Config> = {}): TransferServer {
  const server = new TransferServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** A reader and a writer with the first letter across; the writer sends in chunks unless it declares a length. */
async function joined(
  server: TransferServer,
  head = "Transfer-Encoding: chunked\r\n",
): Promise<{ readonly id: string; readonly reader: RawClient; readonly writer: RawClient }> {
  const id = await server.channel();
  const reader = await server.raw("GET", id);
  const writer = await server.raw("POST", id, head);
  await writer.write(head.includes("chunked") ? "1\r\na\r\n" : "a");
  await reader.readUntil("a");
  return { id, reader, writer };
}

async function outcomes(server: TransferServer): Promise<Record<string, number>> {
  const { totals, channels } = await eventually(async () => {
    const state = await server.transfers();
    return state.channels.active === 0 && state;
  }, "nothing is active");
  expect(channels.waiting).toBe(0);
  const { bytes: _, ...counts } = totals;
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** What a cut connection has not: the chunk of length zero that ends a body in order. */
const LAST_CHUNK = "\r\n0\r\n\r\n";

async function restOf(client: RawClient): Promise<string> {
  await client.closed;
  let text = "";
  while (client.received.waiting > 0) text += (await client.received.take()).toString("latin1");
  return text;
}

describe("a killed writer", () => {
  test("cuts the reader's connection at once, without the end of a body", async () => {
    const server = start();
    const { reader, writer } = await joined(server);
    await writer.kill();
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(server)).toEqual({ writer_gone: 1 });
  });

  test("cuts the reader's connection also short of its declared length", async () => {
    const server = start();
    const { reader, writer } = await joined(server, "Content-Length: 1000\r\n");
    await writer.write("bcd");
    await writer.kill();
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(server)).toEqual({ writer_gone: 1 });
  });

  test("makes a reading fetch fail instead of end", async () => {
    const server = start();
    const id = await server.channel();
    const writer = await server.raw("POST", id, "Transfer-Encoding: chunked\r\n");
    await writer.write("5\r\nhello\r\n");
    const response = await server.read(id);
    const text = response.text();
    await writer.kill();
    await expect(text).rejects.toThrow();
  });

  test("frees its place while it waits", async () => {
    const server = start();
    const id = await server.channel();
    const writer = await server.raw("POST", id, "Transfer-Encoding: chunked\r\n");
    await writer.write("5\r\nhello\r\n");
    await eventually(async () => (await server.write(id, "x")).status === 409, "it has its place");
    await writer.kill();
    const next = await eventually(async () => {
      const answer = server.write(id, "next");
      // Real time: a refusal comes at once, and a writer that was given the place hears nothing yet.
      const isRefused = await Promise.race([answer.then(({ status }) => status === 409), Bun.sleep(50)]);
      return !isRefused && { answer };
    }, "its place is free");
    expect(await (await server.read(id)).text()).toBe("next");
    expect((await next.answer).status).toBe(200);
  });
});

/**
 * A process that sends 24 MiB in chunks and says when it is held up. Killed then, it leaves its system with bytes that
 * nobody takes, and with its end behind them.
 */
const WRITER = `
  const [, url, key] = process.argv;
  let sent = 0, before = 0;
  async function* body() { for (; sent < 384; sent += 1) yield new Uint8Array(65536); }
  setInterval(() => { if (sent > 0 && sent === before) console.log("held up"); before = sent; }, 100);
  await fetch(url, { method: "POST", body: body(), headers: { authorization: "Bearer " + key } });
`;

test("a writer killed with unread bytes on their way gives a later reader a cut connection, never a whole file", async () => {
  const server = start();
  const id = await server.channel();
  const writer = Bun.spawn([process.execPath, "-e", WRITER, `${server.url}/api/transfer/${id}`, API_KEY]);
  await writer.stdout.getReader().read();
  writer.kill("SIGKILL");
  await writer.exited;
  const reader = await server.raw("GET", id);
  expect(await restOf(reader)).not.toContain(LAST_CHUNK);
  expect(await outcomes(server)).toEqual({ writer_gone: 1 });
});

describe("a killed reader", () => {
  test("is reported to the writer at once, as 502 and not as success", async () => {
    const server = start();
    const { reader, writer } = await joined(server);
    await reader.kill();
    const answer = await writer.readUntil('"code":"transfer_broken"');
    expect(answer).toStartWith("HTTP/1.1 502");
    expect(await outcomes(server)).toEqual({ reader_gone: 1 });
  });

  test("is reported to the writer also while sent bytes are still on their way", async () => {
    const server = start();
    const id = await server.channel();
    const reader = await server.raw("GET", id);
    await eventually(async () => (await server.read(id, { method: "HEAD" })).status === 409, "the reader waits");
    await reader.pause();
    // More than the sockets between them hold.
    const size = 24 * 1024 * 1024;
    const writer = await server.raw("POST", id, `Content-Length: ${size}\r\n`);
    void writer.write(new Uint8Array(size));
    // The server has handed the body over, and no longer knows how far it is.
    await eventually(async () => (await server.transfers()).active[0]?.bytes === null, "bytes pass");
    await untilStill(() => writer.sent, "the writer is stuck");
    await reader.kill();
    expect(await writer.readUntil('"code":"transfer_broken"')).toStartWith("HTTP/1.1 502");
    expect(await outcomes(server)).toEqual({ reader_gone: 1 });
  });

  test("is never reported as success, at any moment of a large transfer", async () => {
    const server = start();
    const rounds = 40;
    const body = new Uint8Array(48 * 1024 * 1024);
    for (let round = 0; round < rounds; round += 1) {
      const id = await server.channel();
      const reader = await server.raw("GET", id);
      const answer = server.write(id, body);
      // So early that what is left is more than the network's buffers can hold.
      await eventually(() => reader.bytes > round * 8192, "bytes pass");
      await reader.kill();
      expect((await answer).status).toBe(502);
    }
    expect(await outcomes(server)).toEqual({ reader_gone: rounds });
  });
});

test("a transfer that stands still is cut on both sides", async () => {
  const server = start({ clientStallTimeoutMs: 150 });
  const { reader, writer } = await joined(server);
  const answer = await writer.readUntil('"code":"transfer_broken"');
  expect(answer).toStartWith("HTTP/1.1 502");
  expect(await restOf(reader)).not.toContain(LAST_CHUNK);
  expect(await outcomes(server)).toEqual({ stalled: 1 });
});

describe("a draining server", () => {
  test("refuses waiting sides and new channels, and lets running transfers finish", async () => {
    const server = start();
    const { reader, writer } = await joined(server);
    const lonely = server.read(await server.channel());
    const unused = await server.channel();
    await eventually(async () => (await server.transfers()).channels.waiting === 2, "one waits");
    const drained = server.app.drain();
    expect((await lonely).status).toBe(503);
    expect((await server.fetch("/api/transfer", { method: "POST" })).status).toBe(503);
    expect((await server.read(unused)).status).toBe(503);
    await writer.write("1\r\nb\r\n0\r\n\r\n");
    expect(await writer.readUntil("ok")).toContain('{"status":"ok","bytes":2}');
    expect(await reader.readUntil(LAST_CHUNK)).toContain("b");
    await drained;
  });

  test("cuts the reader and gives the writer 503 when the drain takes too long", async () => {
    const server = start();
    const { reader, writer } = await joined(server);
    server.app.close();
    expect(await writer.readUntil('"code":"draining"')).toStartWith("HTTP/1.1 503");
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(server)).toEqual({ closed: 1 });
  });
});

test("a writer that expects 100-continue gets it before it sends the body", async () => {
  const server = start();
  const id = await server.channel();
  const reader = server.read(id);
  const writer = await server.raw("POST", id, "Expect: 100-continue\r\nContent-Length: 5\r\n");
  await writer.readUntil("HTTP/1.1 100 Continue");
  await writer.write("hello");
  await writer.readUntil('{"status":"ok","bytes":5}');
  expect(await (await reader).text()).toBe("hello");
});
