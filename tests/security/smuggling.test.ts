import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { API_KEY, TestServer } from "../support/test-server.ts";

// If a proxy and a server disagree on where a request ends, one client can forge another's request. Each of these
// requests can be read in two ways; the server refuses it, or reads it in the one way that RFC 9112 allows.

let server: TestServer;
beforeAll(() => {
  server = new TestServer({ authFailuresPerMinute: 0 });
});
afterAll(() => server.stop());

/**
 * Sends the bytes on one connection and gives the status of every answer, until the connection ends or is silent for 400 ms
 * of real time: that no second answer follows has no event.
 */
function statuses(bytes: string): Promise<readonly string[]> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(server.listening.port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    const done = (): void => {
      socket.destroy();
      resolve([...said.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = ""]) => status));
    };
    socket.setTimeout(400, done);
    socket.on("data", (piece) => {
      said += piece.toString("latin1");
    });
    socket.on("error", done);
    socket.on("close", done);
  });
}

const HEAD = `Host: x\r\nAuthorization: Bearer ${API_KEY}\r\n`;
/** The smuggled request: if it were read as one, it would get its own 200. */
const SECOND = `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`;

test("two requests on one connection get two answers, so a smuggled request would be seen", async () => {
  expect(await statuses(SECOND + SECOND)).toEqual(["200", "200"]);
});

test.each([
  ["both a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${SECOND}`],
  ["chunks and then a length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", `0\r\n\r\n${SECOND}`],
  ["two lengths", `Content-Length: 0\r\nContent-Length: ${SECOND.length}\r\n`, SECOND],
  ["a length with a sign", `Content-Length: +${SECOND.length}\r\n`, SECOND],
  ["a length with words", "Content-Length: 0, 5\r\n", SECOND],
  ["an encoding that is none", "Transfer-Encoding: xchunked\r\n", `0\r\n\r\n${SECOND}`],
  ["an encoding in disguise", "Transfer-Encoding : chunked\r\n", `0\r\n\r\n${SECOND}`],
  ["a folded encoding", "Transfer-Encoding:\r\n chunked\r\n", `0\r\n\r\n${SECOND}`],
  ["a chunk of negative size", "Transfer-Encoding: chunked\r\n", `-1\r\n${SECOND}`],
  ["a chunk of enormous size", "Transfer-Encoding: chunked\r\n", `fffffffffffffffff\r\n${SECOND}`],
  ["a header without a name", ": x\r\n", SECOND],
  ["a zero byte in a header", "X-A: a\0b\r\n", SECOND],
])("a request with %s never smuggles in a second one", async (_what, headers, rest) => {
  const seen = await statuses(`POST /v1/chat/completions HTTP/1.1\r\n${HEAD}${headers}\r\n${rest}`);
  // Either one refusal and the end, or the bytes are the first request's body: never an answer to the second.
  expect(seen.filter((status) => status === "200")).toEqual([]);
});

test("a line break in a path, a query or an id never becomes a header", async () => {
  for (const path of [
    "/v1/models/a%0d%0aX-Injected:%201",
    "/api/mcp/id/a%0d%0aX-Injected:%201",
    "/nowhere?%0d%0aX-Injected:1",
  ]) {
    const answer = await server.fetch(path);
    expect(answer.headers.get("x-injected")).toBeNull();
    expect(answer.status).toBeGreaterThanOrEqual(400);
  }
});
