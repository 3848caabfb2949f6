import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import fc from "fast-check";
import { ErrorLog } from "../support/error-log.ts";
import { eventually } from "../support/eventually.ts";
import { hostileText, mutated, nearly } from "../support/hostile.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { times } from "../support/times.ts";

// Any request of a client gets an answer below 500, or a 5xx with a reason, and leaves nothing behind.

const errors = new ErrorLog();
let server: TestServer;
const running: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  server = new TestServer(
    {
      plugins: ["llm", "asr", "mcp", "transfer"],
      queueTimeoutMs: 200,
      authFailuresPerMinute: 0,
      transferTtlMs: 300,
      mcpRejoinTimeoutMs: 0,
    },
    { log: errors },
  );
  running.push(server);
  // It answers whatever it is asked.
  const worker = await server.worker({ client_key: CLIENT_KEY, models: ["m"], max_concurrency: 50 });
  const answering = (async () => {
    for (;;) {
      const { id } = await worker.request().catch(() => ({ id: 0 }));
      if (id === 0) return;
      worker.answerJson(id, { data: [{ index: 0, embedding: [1] }] });
    }
  })();
  running.push({
    stop: async () => {
      worker.close();
      await answering;
    },
  });
});
afterAll(async () => {
  for (const each of running.reverse()) await each.stop();
});

/** The allowed answers to an invalid request; a 5xx only with a code for a limit of the server. */
const EXPLAINED =
  /"code":"(?:no_worker_available|queue_timeout|upstream_error|response_too_large|relay_unavailable|worker_lost)"/;

async function hold(answer: Response): Promise<void> {
  const text = await answer.text();
  if (answer.status >= 500 && !EXPLAINED.test(text)) throw new Error(`${answer.status}: ${text.slice(0, 500)}`);
  expect(errors.lines).toEqual([]);
}

const PATHS = [
  "/v1/chat/completions",
  "/v1/embeddings",
  "/v1/completions",
  "/v1/messages",
  "/api/llm/v1/chat/completions",
];

describe("any request of a client", () => {
  test("with any JSON body is answered or refused with a code", async () => {
    const body = nearly({
      model: "m",
      stream: false,
      messages: [{ role: "user", content: "?" }],
      input: ["a", "b"],
      encoding_format: "float",
      dimensions: 2,
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PATHS), body, async (path, json) => {
        await hold(await server.post(path, json));
      }),
      { numRuns: times(300) },
    );
  }, 600_000);

  test("with a damaged JSON body is answered or refused with a code", async () => {
    const right = Buffer.from(JSON.stringify({ model: "m", input: ["ä", "b\\u0000"], messages: [{ role: "user" }] }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PATHS), mutated(right), async (path, body) => {
        const headers = { "content-type": "application/json" };
        // The bytes are in plain memory, as the DOM's type demands.
        await hold(await server.fetch(path, { method: "POST", headers, body: body as Uint8Array<ArrayBuffer> }));
      }),
      { numRuns: times(300) },
    );
  }, 600_000);

  test("with any form is answered or refused with a code", async () => {
    const right = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nnobody\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n',
    );
    await fc.assert(
      fc.asyncProperty(mutated(right), fc.constantFrom("b", "c", "b; x=y", '"b"', ""), async (body, boundary) => {
        const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
        // The bytes are in plain memory, as the DOM's type demands.
        const init = { method: "POST", headers, body: body as Uint8Array<ArrayBuffer> };
        await hold(await server.fetch("/v1/audio/transcriptions", init));
      }),
      { numRuns: times(300) },
    );
  }, 600_000);

  test("with any path, query or id is answered or refused with a code", async () => {
    const bases = [
      "/v1/models/",
      "/api/llm/id/",
      "/api/mcp/id/",
      "/api/transfer/",
      "/api/state/workers/",
      "/state/",
      "/",
    ];
    const path = fc.tuple(fc.constantFrom(...bases), hostileText, hostileText);
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.constantFrom("GET", "POST", "DELETE"),
        fc.boolean(),
        async ([base, id, rest], method, isRaw) => {
          const encode = (part: string): string =>
            isRaw ? encodeURI(part.toWellFormed()) : encodeURIComponent(part.toWellFormed());
          const body = method === "POST" ? { body: "{}" } : {};
          const url = `${base}${encode(id)}/${encode(rest)}?${encode(rest)}`;
          await hold(
            await server.fetch(url, { method, redirect: "manual", signal: AbortSignal.timeout(5000), ...body }),
          );
        },
      ),
      { numRuns: times(300) },
    );
  }, 600_000);

  test("as any bytes ends in an answer or a closed connection, while others are served", async () => {
    const body = JSON.stringify({ model: "m", messages: [] });
    const right = Buffer.from(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nX-Request-Id: abc\r\nConnection: close\r\n\r\n${body}`,
    );
    const chunked = Buffer.from(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${API_KEY}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated(right), mutated(chunked)), async (bytes) => {
        const said = await exchange(bytes);
        if (said !== "") expect(said).toMatch(/^HTTP\/1\.1 (?:[1234]\d\d|50[0-5])/);
        expect(said).not.toMatch(/^HTTP\/1\.1 500/);
        expect((await server.fetch("/healthz")).status).toBe(200);
        expect(errors.lines).toEqual([]);
      }),
      { numRuns: times(300) },
    );
  }, 600_000);

  test("leaves nothing behind", async () => {
    await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 0, "no job is left");
    const metrics = await (await server.fetch("/metrics")).text();
    for (const line of metrics
      .split("\n")
      .filter((each) => /^moorage_(?:mcp_in_flight|slots_busy|transfer_channels)/.test(each)))
      expect(line).toEndWith(" 0");
    // No made-up name became a series.
    expect(metrics.split("\n").length).toBeLessThan(2000);
  });
});

/**
 * Sends the bytes, ends the request side, and gives what comes back until the connection ends or is silent for 300 ms of real
 * time: a server that waits for the rest of a broken request announces it by nothing.
 */
function exchange(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(server.listening.port, "127.0.0.1", () => socket.end(bytes));
    const done = (): void => {
      socket.destroy();
      resolve(said);
    };
    socket.setTimeout(300, done);
    socket.on("data", (piece) => {
      said += piece.toString("latin1");
    });
    socket.on("error", done);
    socket.on("close", done);
  });
}
