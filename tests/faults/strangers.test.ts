import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually } from "../support/eventually.ts";
import { type RealLinks, startRealLinks } from "../support/real-links.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer | undefined;
let peer: RealLinks | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  peer?.links.close("the test is over");
  await server?.stop();
  server = undefined;
  peer = undefined;
});

/** A connection and its fate. */
interface Stranger {
  readonly socket: Socket;
  said: string;
  isClosed: boolean;
}

function dial(first: string, port: number): Promise<Stranger> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    const stranger: Stranger = { socket, said: "", isClosed: false };
    socket.on("connect", () => {
      socket.write(first);
      resolve(stranger);
    });
    socket.on("data", (bytes) => {
      stranger.said += bytes.toString("latin1");
    });
    socket.on("close", () => {
      stranger.isClosed = true;
    });
    // The other end may reset a connection while bytes are on their way.
    socket.on("error", reject);
  });
}

const UPGRADE =
  "GET /api/llm/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: moorage.v1\r\n\r\n";

describe("10,000 connections that never register", () => {
  // As many as fit under the usual limit of open files, with both ends in one process.
  const COUNT = 4000;

  test("do not delay others, are closed after the registration timeout, and leave nothing behind", async () => {
    const own = new TestServer({ registerTimeoutMs: 2000 });
    server = own;
    const worker = await own.worker({ models: ["m"] });
    const strangers: Stranger[] = [];
    for (let begun = 0; begun < COUNT; begun += 200)
      strangers.push(...(await Promise.all(Array.from({ length: 200 }, () => dial(UPGRADE, own.listening.port)))));
    const asked = own.chat("m");
    worker.answerJson((await worker.request()).id, { done: true });
    expect((await asked).status).toBe(200);
    await eventually(() => strangers.every(({ isClosed }) => isClosed), "all are closed", 30_000);
    expect(strangers.filter(({ said }) => said.includes("expected register")).length).toBe(COUNT);
    // There is still room for workers.
    const late = await own.worker({ models: ["late"] });
    expect((await own.state()).workers).toHaveLength(2);
    late.close();
  }, 60_000);
});

describe("a connection to the listener of links", () => {
  const REQUEST = "GET /link HTTP/1.1\r\nHost: x\r\n";

  test.each([
    ["that sends nothing", "", ""],
    ["that sends its request byte by byte", "GET /li", "n"],
    ["that sends headers without an end", REQUEST, "X-Slow: x\r\n"],
    ["that sends a body without an end", `${REQUEST}Transfer-Encoding: chunked\r\n\r\n`, "1\r\nx\r\n"],
    ["that asks again and again", `${REQUEST}\r\n`, `${REQUEST}\r\n`],
  ])(
    "%s is closed",
    async (_what, first, rest) => {
      peer = startRealLinks("b");
      const stranger = await dial(first, Number(peer.contact.address?.split(":")[1]));
      const timer = setInterval(() => !stranger.isClosed && stranger.socket.write(rest), 250);
      try {
        await eventually(() => stranger.isClosed, "it is closed", 60_000);
      } finally {
        clearInterval(timer);
      }
    },
    70_000,
  );
});

describe("a request that arrives byte by byte", () => {
  const auth = `Host: x\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Type: application/json\r\n`;
  const POST = "POST /v1/chat/completions HTTP/1.1\r\n";

  function trickle(stranger: Stranger, rest: string): Timer {
    let at = 0;
    return setInterval(() => {
      if (!stranger.isClosed) stranger.socket.write(rest[at] ?? "x");
      at += 1;
    }, 250);
  }

  test.each([
    ["in its headers", `${POST}${auth}`, "X-Slow: "],
    ["in its body, without a key", `${POST}Host: x\r\nContent-Length: 5000\r\n\r\n`, "{"],
    ["in its body", `${POST}${auth}Content-Length: 5000\r\n\r\n`, "{"],
  ])(
    "%s is ended within a minute and a half and delays nobody until then",
    async (_what, first, rest) => {
      server = new TestServer();
      const stranger = await dial(first, server.listening.port);
      const timer = trickle(stranger, rest);
      try {
        expect((await server.fetch("/healthz")).status).toBe(200);
        await eventually(() => stranger.isClosed || stranger.said.startsWith("HTTP/1.1 4"), "it is ended", 90_000);
      } finally {
        clearInterval(timer);
      }
    },
    100_000,
  );
});
