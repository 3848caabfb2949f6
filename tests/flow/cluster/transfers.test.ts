import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { channelPrefix } from "../../../src/system/server-id.ts";
import { AreaCluster } from "../../support/area-cluster.ts";
import { eventually, untilStill } from "../../support/eventually.ts";
import { RawClient } from "../../support/raw-client.ts";
import { API_KEY, type TestServer } from "../../support/test-server.ts";

/** What a cut connection has not: the chunk of length zero that ends a body in order. */
const LAST_CHUNK = "\r\n0\r\n\r\n";

async function channel(server: TestServer): Promise<string> {
  const response = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id } = (await response.json()) as { channel_id: string }; // held by the API's own tests
  return channel_id;
}

const read = (server: TestServer, id: string): Promise<Response> => server.fetch(`/api/transfer/${id}`);
const write = (
  server: TestServer,
  id: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Record<string, string> = {},
) => server.fetch(`/api/transfer/${id}`, { method: "POST", body, headers });

/** Opens a reader or writer that writes HTTP by hand. */
async function raw(server: TestServer, method: string, id: string, head = ""): Promise<RawClient> {
  const client = new RawClient(server.url);
  const { host } = new URL(server.url);
  await client.write(
    `${method} /api/transfer/${id} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${API_KEY}\r\n${head}\r\n`,
  );
  return client;
}

async function restOf(client: RawClient): Promise<string> {
  await client.closed;
  let text = "";
  while (client.received.waiting > 0) text += (await client.received.take()).toString("latin1");
  return text;
}

const codeOf = async (response: Response): Promise<string> =>
  `${response.status} ${((await response.json()) as { error: { code: string } }).error.code}`; // as all errors are

interface TransferTotals {
  readonly channels: { readonly waiting: number; readonly active: number };
  readonly totals: Readonly<Record<string, number>>;
}

async function transfersOf(server: TestServer): Promise<TransferTotals> {
  const envelope = (await (await server.fetch("/api/state")).json()) as { plugins: { transfer: TransferTotals } }; // as above
  return envelope.plugins.transfer;
}

/** Waits until a server has no side that waits elsewhere and no transfer, and returns its outcomes. */
async function outcomes(server: TestServer): Promise<Record<string, number>> {
  const { totals } = await eventually(async () => {
    const state = await transfersOf(server);
    return state.channels.active === 0 && state.channels.waiting === 0 && state;
  }, "nothing is active");
  return Object.fromEntries(Object.entries(totals).filter(([name, count]) => count > 0 && name !== "bytes"));
}

describe("with sides at any two of three servers,", () => {
  let cluster: AreaCluster;
  beforeAll(async () => {
    cluster = await AreaCluster.start(["a", "b", "c"]);
  });
  afterAll(() => cluster.stop());

  const PLACES = ["a", "b", "c"].flatMap((writer) => ["a", "b", "c"].map((reader) => [writer, reader] as const));

  test.each(PLACES)("a writer at %s and a reader at %s meet, whichever comes first", async (w, r) => {
    const [owner, writer, reader] = [cluster.at("a").server, cluster.at(w).server, cluster.at(r).server];
    for (const isReaderFirst of [true, false]) {
      const id = await channel(owner);
      const sides = [
        () => read(reader, id),
        () =>
          write(writer, id, "hello there", { "content-type": "text/x-test", "content-disposition": 'a; filename="b"' }),
      ];
      const first = (isReaderFirst ? sides[0] : sides[1])?.();
      await Bun.sleep(5);
      const second = (isReaderFirst ? sides[1] : sides[0])?.();
      const [got, sent] = isReaderFirst ? [await first, await second] : [await second, await first];
      // The reader's answer has to be read before the writer's comes.
      expect(await got?.text()).toBe("hello there");
      expect(got?.headers.get("content-type")).toBe("text/x-test");
      expect(got?.headers.get("content-disposition")).toBe('a; filename="b"');
      expect(got?.headers.get("x-transfer-length")).toBe("11");
      expect(await sent?.json()).toEqual({ status: "ok", bytes: 11 });
      expect(await codeOf(await read(reader, id))).toBe("409 transfer_in_use");
    }
  });

  test.each(["", "abc"])("a body of unknown length arrives as it is: %p", async (text) => {
    const body = new ReadableStream({
      start(controller) {
        if (text !== "") controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      },
    });
    const id = await channel(cluster.at("a").server);
    const [got, sent] = await Promise.all([
      read(cluster.at("b").server, id).then((each) => each.text()),
      write(cluster.at("c").server, id, body),
    ]);
    expect(got).toBe(text);
    expect(await sent.json()).toEqual({ status: "ok", bytes: text.length });
  });

  test("no body at all arrives as an empty one", async () => {
    const id = await channel(cluster.at("a").server);
    const [got, sent] = await Promise.all([
      read(cluster.at("b").server, id).then((each) => each.text()),
      cluster.at("c").server.fetch(`/api/transfer/${id}`, { method: "POST" }),
    ]);
    expect(got).toBe("");
    expect(await sent.json()).toEqual({ status: "ok", bytes: 0 });
  });

  test("64 MiB arrive whole", async () => {
    const id = await channel(cluster.at("a").server);
    const bytes = Buffer.alloc(64 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
    const sent = write(cluster.at("b").server, id, bytes);
    const got = await read(cluster.at("c").server, id);
    expect(Bun.hash(await got.arrayBuffer())).toBe(Bun.hash(bytes));
    expect(await (await sent).json()).toEqual({ status: "ok", bytes: bytes.length });
  }, 30_000);

  test("a slow reader slows the writer down", async () => {
    const id = await channel(cluster.at("a").server);
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(1024 * 1024));
        if (sent === 200) controller.close();
      },
    });
    const writing = write(cluster.at("b").server, id, body);
    const got = await read(cluster.at("c").server, id);
    const reader = got.body?.getReader();
    await reader?.read();
    await untilStill(() => sent, "the writer waits");
    expect(sent).toBeLessThan(150);
    for (;;) if ((await reader?.read())?.done !== false) break;
    expect(await (await writing).json()).toMatchObject({ bytes: 200 * 1024 * 1024 });
  }, 30_000);

  test("the transfer is counted and logged once, at the writer's server", async () => {
    const { lines } = cluster.at("b");
    const before = await outcomes(cluster.at("b").server);
    const id = await channel(cluster.at("a").server);
    const [got] = await Promise.all([
      read(cluster.at("c").server, id).then((each) => each.text()),
      write(cluster.at("b").server, id, "x"),
    ]);
    expect(got).toBe("x");
    const after = await outcomes(cluster.at("b").server);
    expect(after["completed"]).toBe((before["completed"] ?? 0) + 1);
    const line = lines.findLast(({ event }) => event === "transfer.ended");
    expect(line).toMatchObject({ outcome: "completed", bytes: 1, reader_server: "c", reader_caller: "api-key:1" });
  });

  test("a client that looks learns what a reader would, and takes no place", async () => {
    const id = await channel(cluster.at("a").server);
    const look = (method = "HEAD") => cluster.at("b").server.fetch(`/api/transfer/${id}`, { method });
    expect((await look()).status).toBe(200);
    const [got] = await Promise.all([
      read(cluster.at("c").server, id).then((each) => each.text()),
      write(cluster.at("b").server, id, "x"),
    ]);
    expect(got).toBe("x");
    expect((await look()).status).toBe(409);
  });

  test("a second side of a kind is refused, and a channel that nobody has made is not found", async () => {
    const id = await channel(cluster.at("a").server);
    const first = read(cluster.at("b").server, id);
    await eventually(
      async () => (await cluster.at("c").server.fetch(`/api/transfer/${id}`, { method: "HEAD" })).status === 409,
    );
    expect(await codeOf(await read(cluster.at("c").server, id))).toBe("409 transfer_in_use");
    expect(await codeOf(await read(cluster.at("a").server, id))).toBe("409 transfer_in_use");
    await write(cluster.at("c").server, id, "x");
    expect(await (await first).text()).toBe("x");
    for (const prefix of [channelPrefix("a"), channelPrefix("b"), "----"])
      expect(await codeOf(await read(cluster.at("b").server, `${prefix}AAAAAAAAAAAAAAAAAAAAAA`))).toBe(
        "404 transfer_not_found",
      );
  });
});

describe("between two servers,", () => {
  let cluster: AreaCluster;
  afterEach(() => cluster.stop());

  /** A reader at `b` and a writer at `c` with the first letter across; the channel is at `a`. */
  async function joined(head = "Transfer-Encoding: chunked\r\n", overrides = {}) {
    cluster = await AreaCluster.start(["a", "b", "c"], overrides);
    const id = await channel(cluster.at("a").server);
    const reader = await raw(cluster.at("b").server, "GET", id);
    const writer = await raw(cluster.at("c").server, "POST", id, head);
    await writer.write(head.includes("chunked") ? "1\r\na\r\n" : "a");
    await reader.readUntil("a");
    return { id, reader, writer };
  }

  test("a killed writer cuts the reader's connection, without the end of a body", async () => {
    const { reader, writer } = await joined();
    await writer.kill();
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(cluster.at("c").server)).toEqual({ writer_gone: 1 });
  });

  test("a writer that stops short of its declared length does so too", async () => {
    const { reader, writer } = await joined("Content-Length: 1000\r\n");
    await writer.write("bcd");
    await writer.kill();
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(cluster.at("c").server)).toEqual({ writer_gone: 1 });
  });

  test("a killed reader fails the writer", async () => {
    const { reader, writer } = await joined();
    await reader.kill();
    expect(await writer.readUntil("transfer_broken")).toContain("502");
    expect(await outcomes(cluster.at("c").server)).toEqual({ reader_gone: 1 });
  });

  test("a transfer without a byte for too long fails both", async () => {
    const { reader, writer } = await joined(undefined, { clientStallTimeoutMs: 200 });
    expect(await writer.readUntil("transfer_broken")).toContain("502");
    expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    expect(await outcomes(cluster.at("c").server)).toEqual({ stalled: 1 });
  });

  test.each(["b", "c"])(
    "a transfer goes on when the channel's server dies, and breaks when %s does",
    async (victim) => {
      const { reader, writer } = await joined();
      await cluster.kill("a");
      await writer.write("1\r\nb\r\n");
      await reader.readUntil("b");
      await cluster.kill(victim);
      if (victim === "b") expect(await writer.readUntil("transfer_broken")).toContain("502");
      else expect(await restOf(reader)).not.toContain(LAST_CHUNK);
    },
  );

  test("a transfer that runs is finished while each server shuts down", async () => {
    const { reader, writer } = await joined();
    const drained = ["a", "b", "c"].map((id) => cluster.at(id).server.app.drain());
    await writer.write("1\r\nb\r\n0\r\n\r\n");
    expect(await reader.readUntil("b")).toContain("b");
    expect(await writer.readUntil('"bytes":2')).toContain("200");
    await Promise.all(drained);
  });

  test("a side that leaves while it waits frees its place", async () => {
    cluster = await AreaCluster.start(["a", "b", "c"]);
    const id = await channel(cluster.at("a").server);
    const isFree = async (): Promise<boolean> =>
      (await cluster.at("c").server.fetch(`/api/transfer/${id}`, { method: "HEAD" })).status === 200;
    const first = await raw(cluster.at("b").server, "GET", id);
    await eventually(async () => !(await isFree()));
    await first.kill();
    await eventually(isFree);
    const got = read(cluster.at("b").server, id);
    expect(await (await write(cluster.at("c").server, id, "x")).json()).toEqual({ status: "ok", bytes: 1 });
    expect(await (await got).text()).toBe("x");
  });

  /** A reader at `b` that waits in a channel of `a`. `got` is the code that it is refused with. */
  async function waiting(overrides = {}) {
    cluster = await AreaCluster.start(["a", "b"], overrides);
    const id = await channel(cluster.at("a").server);
    const got = read(cluster.at("b").server, id).then(codeOf);
    const look = () => cluster.at("a").server.fetch(`/api/transfer/${id}`, { method: "HEAD" });
    await eventually(async () => (await look()).status === 409);
    return { id, got };
  }

  test("a side that waits is told when the channel expires", async () => {
    const { got } = await waiting({ transferTtlMs: 300 });
    expect(await got).toBe("410 transfer_expired");
  });

  test.each(["a", "b"])("a side that waits is told when server %s shuts down", async (id) => {
    const { got } = await waiting();
    void cluster.at(id).server.app.drain();
    expect(await got).toBe("503 draining");
  });

  test("a side whose channel's server dies is told that there is no channel any more", async () => {
    const { id, got } = await waiting();
    await cluster.kill("a");
    expect(await got).toBe("404 transfer_not_found");
    expect(await codeOf(await read(cluster.at("b").server, id))).toBe("404 transfer_not_found");
  });

  test("a side whose server dies while it waits frees its place", async () => {
    cluster = await AreaCluster.start(["a", "b", "c"]);
    const id = await channel(cluster.at("a").server);
    read(cluster.at("b").server, id).catch(() => {}); // Its server dies.
    const look = async () => (await cluster.at("c").server.fetch(`/api/transfer/${id}`, { method: "HEAD" })).status;
    await eventually(async () => (await look()) === 409);
    await cluster.kill("b");
    await eventually(async () => (await look()) === 200);
  });

  test("a channel's server that does not answer is named", async () => {
    cluster = await AreaCluster.start(["a", "b"]);
    const id = await channel(cluster.at("a").server);
    cluster.at("a").ports.isSilent = true;
    const response = await read(cluster.at("b").server, id);
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("The server 'a'");
  });

  test("servers whose names have the same digest do not take each other's channels for their own", async () => {
    const [one, other] = sameDigest();
    cluster = await AreaCluster.start([one, other, "z"]);
    for (const owner of [one, other]) {
      for (const [w, r] of [
        ["z", one],
        ["z", other],
        [one, other],
        [other, "z"],
      ] as const) {
        const id = await channel(cluster.at(owner).server);
        const got = read(cluster.at(r).server, id).then((each) => each.text());
        expect(await (await write(cluster.at(w).server, id, "x")).json()).toEqual({ status: "ok", bytes: 1 });
        expect(await got).toBe("x");
      }
    }
  });
});

/** Returns two server ids whose channels have one prefix. */
function sameDigest(): readonly [string, string] {
  const seen = new Map<string, string>();
  for (let number = 0; ; number += 1) {
    const id = `server-${number}`;
    const earlier = seen.get(channelPrefix(id));
    if (earlier !== undefined) return [earlier, id];
    seen.set(channelPrefix(id), id);
  }
}
