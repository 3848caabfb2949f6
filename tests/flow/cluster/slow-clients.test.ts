import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY } from "../../support/test-server.ts";

const MIB = 2 ** 20;
const WINDOW = 256 * 1024;
const EVENT_BYTES = 16 * 1024;
const EVENTS = 8192;
/** Above it something other than windows and the buffers of sockets holds the stream, which has 128 MiB. */
const MOST_HELD = 64 * MIB;

const eventAt = (count: number): Buffer =>
  Buffer.from(`data: ${count} `.padEnd(EVENT_BYTES - 2, String(count % 10)).concat("\n\n"));

/** Opens a stream and reads nothing until the test resumes the socket. */
function openStuck({ port }: ClusterServer): Promise<Socket> {
  const body = JSON.stringify({ model: "m", stream: true, messages: [] });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x.example\r\nauthorization: Bearer ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.pause();
      socket.write(head + body);
      resolve(socket);
    });
    socket.on("error", () => {});
  });
}

/** A stream that its worker sends as far as it has credit. */
class Sending {
  sent = 0;
  readonly #worker: NativeWorker;
  readonly #id: number;
  #left = WINDOW;

  constructor(worker: NativeWorker, id: number) {
    this.#worker = worker;
    this.#id = id;
  }

  /** Resolves when all events are sent (true), or when no credit has come for a second. */
  async run(): Promise<boolean> {
    for (;;) {
      while (this.#left >= EVENT_BYTES && this.sent < EVENTS) {
        this.sent += 1;
        this.#left -= EVENT_BYTES;
        this.#worker.data(this.#id, eventAt(this.sent), this.sent === EVENTS);
      }
      if (this.sent === EVENTS) return true;
      const frame = await this.#worker.frames.take("credit", 1000).catch(() => undefined);
      if (!frame) return false;
      expect(frame).toMatchObject({ type: "credit", id: this.#id });
      if (frame.type === "credit") this.#left += frame.bytes;
    }
  }
}

/** Reads a response to its last chunk, and returns its body. */
async function readOn(socket: Socket): Promise<Buffer> {
  const read: Buffer[] = [];
  const end = Buffer.from("\r\n0\r\n\r\n");
  await new Promise<void>((resolve, reject) => {
    let tail = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      read.push(bytes);
      tail = Buffer.concat([tail, bytes]).subarray(-end.length);
      if (tail.equals(end)) resolve();
    });
    socket.on("close", () => reject(new Error("the connection has ended before the stream")));
    socket.resume();
  });
  const whole = Buffer.concat(read);
  const chunks: Buffer[] = [];
  for (let at = whole.indexOf("\r\n\r\n") + 4; at < whole.length; ) {
    const start = whole.indexOf("\r\n", at) + 2;
    const length = Number.parseInt(whole.subarray(at, start).toString(), 16);
    chunks.push(whole.subarray(start, start + length));
    at = start + length + 2;
  }
  return Buffer.concat(chunks);
}

/** The resident memory of a server in bytes. */
function memoryOf(server: ClusterServer): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(server.run.pid)]);
  return Number(stdout.toString()) * 1024;
}

describe.skipIf(lacks("slow clients of a cluster", PROGRAMS.nats))("a client that does not read", () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    cluster = await ClusterProcesses.start({ servers: 2 });
  }, 60_000);
  afterAll(() => cluster.stop());

  test("holds back the worker of another server, costs neither server memory, and gets the whole stream when it reads on", async () => {
    const worker = await cluster.scriptedWorker(1);
    await cluster.served("m");
    const before = cluster.servers.map(memoryOf);
    const socket = await openStuck(cluster.server(0));
    const { id } = await worker.request();
    worker.head(id);
    const sending = new Sending(worker, id);
    expect(await sending.run()).toBeFalse();
    expect(sending.sent * EVENT_BYTES).toBeLessThan(MOST_HELD);
    for (const [at, server] of cluster.servers.entries())
      expect(memoryOf(server) - (before[at] ?? 0)).toBeLessThan(MOST_HELD);
    const reading = readOn(socket);
    while (!(await sending.run()));
    const body = await reading;
    const expected = Buffer.concat(Array.from({ length: EVENTS }, (_, at) => eventAt(at + 1)));
    expect(body.equals(expected)).toBeTrue();
    socket.destroy();
  }, 60_000);
});
