import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { createLog } from "../../../src/system/log.ts";
import { eventually } from "../../support/eventually.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startRawBackend, startTestWorker } from "../../support/test-worker.ts";
import { WorkerRig } from "../../support/worker-rig.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=100\r\ncontent-length: 2\r\n\r\n{}";
const STREAM =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nkeep-alive: timeout=5, max=100\r\n" +
  "transfer-encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

/** Counts the requests of each connection: 1 for the first. */
function countPerSocket(): (socket: Socket) => number {
  const counts = new WeakMap<Socket, number>();
  return (socket) => {
    const count = (counts.get(socket) ?? 0) + 1;
    counts.set(socket, count);
    return count;
  };
}

describe("a model server behind a worker", () => {
  let rig: WorkerRig;
  beforeEach(() => {
    rig = new WorkerRig();
  });
  afterEach(() => rig.stop());

  test.each([
    ["closes", (socket: Socket) => void socket.end()],
    ["resets", (socket: Socket) => void socket.terminate()],
  ])(
    "that %s kept connections at their second request gets it once more, on a new connection",
    async (_name, close) => {
      const count = countPerSocket();
      const waiting: Socket[] = [];
      let asked = 0;
      const link = await rig.serveRaw((socket) => {
        asked += 1;
        if (count(socket) > 1) return close(socket);
        // The first three are answered together, so that three connections are kept.
        waiting.push(socket);
        if (waiting.length >= 3) for (const each of waiting.splice(0, waiting.length > 3 ? 1 : 3)) each.write(ANSWER);
      });
      for (let n = 0; n < 3; n += 1) link.open({ path: "/x" }, "{}");
      for (let n = 0; n < 3; n += 1) expect(await link.response()).toMatchObject({ end: true });
      const id = link.open({ path: "/x" }, "{}");
      await eventually(() => waiting.length === 1, "the request has come on a new connection");
      waiting[0]?.write(ANSWER);
      expect(await link.response()).toMatchObject({ id, end: true, head: { status: 200 } });
      expect(asked).toBe(5);
    },
  );

  test("gets a repeated request under another id, because the first may still run there", async () => {
    const ids: (string | undefined)[] = [];
    const link = await rig.serveRaw((socket, request) => {
      ids.push(/^x-request-id: (.*)\r$/im.exec(request)?.[1]);
      socket.end();
    });
    const id = link.open({ path: "/x", headers: [["x-request-id", "r1"]] }, "{}");
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_error" });
    expect(ids).toEqual(["r1", "r1-again"]);
  });

  test("that always closes the connection is asked twice and no more", async () => {
    let asked = 0;
    const link = await rig.serveRaw((socket) => {
      asked += 1;
      socket.end();
    });
    const id = link.open({ path: "/x" }, "{}");
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_error" });
    expect(asked).toBe(2);
  });

  test("that breaks off after the head of its answer is not asked again", async () => {
    let asked = 0;
    const link = await rig.serveRaw((socket) => {
      asked += 1;
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    });
    const id = link.open({ path: "/x" }, "{}");
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_error" });
    expect(asked).toBe(1);
  });

  test("that closes the connection under a streamed body is not asked again", async () => {
    let asked = 0;
    const link = await rig.serveRaw((socket) => {
      asked += 1;
      socket.end();
    });
    const id = link.open({ path: "/x" }, "the beginning of", false);
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_error" });
    expect(asked).toBe(1);
  });

  test("gets a streamed body on a new connection, since it could not be sent again", async () => {
    const count = countPerSocket();
    const link = await rig.serveRaw((socket) => {
      if (count(socket) > 1) socket.end();
      else socket.write(ANSWER);
    });
    link.open({ path: "/x" }, "{}");
    expect(await link.response()).toMatchObject({ end: true });
    const id = link.open({ path: "/x" }, "the beginning", false);
    expect(await link.response()).toMatchObject({ id, head: { status: 200 }, end: true });
  });

  test("is not asked again for a job that was cancelled", async () => {
    const asked: Socket[] = [];
    const link = await rig.serveRaw((socket) => void asked.push(socket));
    const id = link.open({ path: "/x" }, "{}");
    await eventually(() => asked.length === 1, "the request has come");
    link.reset(id);
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "canceled" });
    asked[0]?.end();
    // A second try of the cancelled job would come before this one.
    const next = link.open({ path: "/x" }, "{}");
    await eventually(() => asked.length === 2, "the next request has come");
    asked[1]?.write(ANSWER);
    expect(await link.response()).toMatchObject({ id: next });
    expect(asked).toHaveLength(2);
  });
});

describe("with a whole server", () => {
  const running: { stop(): Promise<void> }[] = [];
  let lines: string[] = [];
  let server: TestServer;

  beforeEach(() => {
    lines = [];
    const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
    server = new TestServer({ modelGraceMs: 60_000 }, { log });
  });
  afterEach(async () => {
    for (const each of running.splice(0).reverse()) await each.stop();
    await server.stop();
  });

  async function connect(id: string, onPost: (socket: Socket) => void): Promise<void> {
    const backend = startRawBackend(onPost);
    const settings = { server: server.url, clientKeys: [CLIENT_KEY], backend: backend.url, id, maxConcurrency: 2 };
    running.push(backend, startTestWorker(settings));
    await eventually(
      async () => (await server.state()).workers.some((each) => each.id === id && each.models.includes("m")),
      `${id} is ready`,
    );
  }

  test("no job fails on a model server that closes the connection after each streamed answer", async () => {
    const count = countPerSocket();
    let lost = 0;
    await connect("w1", (socket) => {
      // The close always comes too late for the worker: its next request is already on the connection.
      if (count(socket) === 1) return void socket.write(STREAM);
      lost += 1;
      socket.end();
    });
    const statuses: number[] = [];
    const client = async (): Promise<void> => {
      for (let n = 0; n < 75; n += 1) {
        const answer = await server.chat("m", { stream: true });
        statuses.push(answer.status);
        expect(await answer.text()).toBe("data: [DONE]\n\n");
      }
    };
    await Promise.all([client(), client(), client(), client()]);
    expect(statuses).toEqual(Array.from({ length: 300 }, () => 200));
    expect(lost).toBeGreaterThan(100);
  });

  test("a job whose model server always closes the connection goes to another worker, and the log says why", async () => {
    let asked = 0;
    await connect("w1", (socket) => {
      asked += 1;
      socket.end();
    });
    const alone = await server.chat("m");
    expect([alone.status, asked]).toEqual([502, 2]);
    expect(await alone.json()).toMatchObject({ error: { code: "upstream_error" } });

    await connect("w2", (socket) => void socket.write(ANSWER));
    for (let n = 0; n < 4; n += 1) expect((await server.chat("m")).status).toBe(200);
    expect(asked).toBeGreaterThan(2);
    const ends = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "job.ended");
    expect(ends[0]).toMatchObject({ attempts: 1, reason: "upstream_error" });
    expect(ends).toContainEqual(
      expect.objectContaining({ worker: "w2", attempts: 2, retry_reason: "upstream_error", outcome: "completed" }),
    );
  });
});
