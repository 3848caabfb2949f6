import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import type { ErrorBody } from "../../src/errors.ts";
import type { NativeWorker } from "../support/native-worker.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;
let worker: NativeWorker;

beforeAll(async () => {
  server = new TestServer({
    maxJsonBodyBytes: 64 * 1024,
    allowedOrigins: ["https://app.example"],
    authFailuresPerMinute: 0,
  });
  worker = await server.worker({ models: ["m"], max_concurrency: 100 });
});
afterAll(() => server.stop());

/** Sends bytes as they are and gives back all that comes until the connection ends. */
function raw(...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(server.listening.port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece);
    });
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
    socket.setTimeout(5000, () => socket.destroy());
  });
}

test.each([
  ["bad JSON", "{", 400, "invalid_json", null],
  ["no JSON object", "[1]", 400, "invalid_request", null],
  ["no model", "{}", 400, "invalid_request", "model"],
  ["a model that is no string", '{"model":1}', 400, "invalid_request", "model"],
  ["an empty model", '{"model":""}', 400, "invalid_request", "model"],
  ["a stream that is no boolean", '{"model":"m","stream":"yes"}', 400, "invalid_request", "stream"],
  ["an unknown model", '{"model":"nope"}', 404, "model_not_found", "model"],
])("%s is answered %p with its code and field", async (_name, body, status, code, param) => {
  const response = await server.fetch("/v1/chat/completions", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  expect(response.status).toBe(status as number);
  const json = (await response.json()) as ErrorBody; // The assertions below look at the shape.
  expect(json).toMatchObject({ error: { code, param, type: "invalid_request_error" } });
  expect(json.error.message.length).toBeGreaterThan(10);
  expect(response.headers.get("x-request-id")).toMatch(/^req_/);
});

test("an unknown model's error names the known ones", async () => {
  const response = await server.chat("nope");
  const { error } = (await response.json()) as ErrorBody; // As above.
  expect(error.message).toContain("'m'");
});

test.each([
  ["application/x-www-form-urlencoded", undefined],
  ["text/plain", undefined],
  ["application/json", "gzip"],
])("a body of type %s with encoding %p is answered 415", async (type, encoding) => {
  const headers: Record<string, string> = {
    "content-type": type,
    ...(encoding ? { "content-encoding": encoding } : {}),
  };
  const response = await server.fetch("/v1/chat/completions", { method: "POST", body: '{"model":"m"}', headers });
  expect(response.status).toBe(415);
  expect(await response.json()).toMatchObject({ error: { code: "unsupported_media_type" } });
});

test.each([
  ["/v1/audio/transcriptionsx", API_KEY, 404, "unknown_url"],
  ["/api/llm/v1/files", API_KEY, 404, "unknown_url"],
  ["/v1/audio/transcriptionsx", "wrong", 401, "invalid_api_key"],
])("a form to %s, where no route takes one, with the key %p is answered %p", async (path, key, status, code) => {
  const form = new FormData();
  form.set("model", "m");
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: form,
    headers: { authorization: `Bearer ${key}` },
  });
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code } });
});

test("a declared length over the limit is answered 413 before the body is sent", async () => {
  const text = await raw(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x.example\r\nauthorization: Bearer ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n`,
  );
  expect(text).toStartWith("HTTP/1.1 413");
  expect(text).toContain('"code":"request_too_large"');
  expect(text).toContain("MAX_BODY_BYTES");
});

test("an undeclared body is cut off at the limit with 413", async () => {
  async function* endless(): AsyncGenerator<string> {
    for (let count = 0; count < 100; count += 1) yield "x".repeat(4096);
  }
  const response = await server.fetch("/v1/chat/completions", {
    method: "POST",
    body: endless(),
    headers: { "content-type": "application/json" },
  });
  expect(response.status).toBe(413);
});

test.each([
  ["no key", {}],
  ["a wrong key", { authorization: "Bearer wrong" }],
  ["another scheme", { authorization: `Basic ${API_KEY}` }],
  ["a wrong x-api-key", { "x-api-key": "wrong" }],
  ["a role from nobody's proxy", { "x-user-roles": "admin" }],
])("%s is answered 401 with WWW-Authenticate, whatever the body says", async (_name, headers) => {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    body: "{".repeat(10),
    headers: headers as Record<string, string>,
  });
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe("Bearer");
  const text = await response.text();
  expect(text).toContain('"code":"invalid_api_key"');
  expect(text).not.toContain("wrong");
});

test("an unauthorized request is refused before its body is read", async () => {
  const text = await raw(
    "POST /v1/chat/completions HTTP/1.1\r\nhost: x.example\r\ncontent-type: application/json\r\ncontent-length: 60000\r\nconnection: close\r\n\r\n{",
  );
  expect(text).toStartWith("HTTP/1.1 401");
});

test.each([
  ["Bearer", { authorization: `Bearer ${API_KEY}` }],
  ["bearer in lower case", { authorization: `bearer ${API_KEY}` }],
  ["x-api-key", { "x-api-key": API_KEY }],
  ["api-key", { "api-key": API_KEY }],
])("the key is taken as %s", async (_name, headers) => {
  const response = await fetch(`${server.url}/v1/models`, { headers: headers as Record<string, string> });
  expect(response.status).toBe(200);
});

test("HEAD answers a GET route without a body", async () => {
  const response = await server.fetch("/v1/models", { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});

test.each([
  ["PUT", "/v1/models", "GET"],
  ["DELETE", "/healthz", "GET"],
  ["GET", "/v1/chat/completions", "POST"],
])("%s %s is answered 405 with Allow", async (method, path, allowed) => {
  const response = await server.fetch(path, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toContain(allowed);
  expect(await response.json()).toMatchObject({ error: { code: "method_not_allowed" } });
});

test("an unknown path is answered 404 in the error form of the API", async () => {
  const response = await server.fetch("/nope");
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
});

test.each([
  ["/v1/models", "GET, HEAD, OPTIONS"],
  ["/v1/chat/completions", "POST, OPTIONS"],
  ["//v1/chat/completions/", "POST, OPTIONS"],
  ["/v1/some/path/of/a/backend", "POST, OPTIONS"],
  ["/healthz", "GET, HEAD, OPTIONS"],
  ["/api/state/token", "POST, OPTIONS"],
])("OPTIONS %s names the methods of its own route", async (path, allowed) => {
  const response = await server.fetch(path, { method: "OPTIONS" });
  expect(response.status).toBe(204);
  expect(response.headers.get("allow")?.split(", ").toSorted()).toEqual(allowed.split(", ").toSorted());
});

test.each([
  ["GET", "/v1/responses/resp_1"],
  ["GET", "/v1/files"],
  ["DELETE", "/v1/files/file_1"],
  ["GET", "/api/llm/v1/fine_tuning/jobs"],
])("%s %s, which nothing serves, is answered 404, although any path takes a POST", async (method, path) => {
  const response = await server.fetch(path, { method });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
});

test("a preflight needs no key; an allowed origin may read the answer, another may not", async () => {
  const ask = (origin: string): Promise<Response> =>
    fetch(`${server.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
      },
    });
  const allowed = await ask("https://app.example");
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
  expect(allowed.headers.get("access-control-allow-headers")).toContain("x-stainless-os");
  expect((await ask("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();

  const answer = await server.fetch("/v1/models", { headers: { origin: "https://app.example" } });
  expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
  expect(answer.headers.get("access-control-expose-headers")).toContain("x-request-id");
  const refused = await fetch(`${server.url}/v1/models`, { headers: { origin: "https://app.example" } });
  expect(refused.status).toBe(401);
  expect(refused.headers.get("access-control-allow-origin")).toBe("https://app.example");
});

test.each(["gw", "a.b", "ab:80", "x"])("all routes work under the short host name %p", async (host) => {
  const ask = (path: string, more = ""): Promise<string> =>
    raw(
      `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${API_KEY}\r\n${more}connection: close\r\n\r\n`,
    );
  expect(await ask("/healthz")).toStartWith("HTTP/1.1 200");
  expect(await ask("/v1/models/m")).toStartWith("HTTP/1.1 200");
  const body = '{"model":"nope"}';
  const post = await raw(
    `POST /v1/some/api HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  expect(post).toStartWith("HTTP/1.1 404");
  expect(post).toContain("model_not_found");
});

test.each(["m", "org/m", "qwen3:8b", "hf.co/u/m:Q4_K_M", "a b", "ü", "50%"])(
  "GET /v1/models/%s finds the model, raw or percent-encoded",
  async (id) => {
    worker.sendText({
      type: "models_update",
      models: ["m", "org/m", "qwen3:8b", "hf.co/u/m:Q4_K_M", "a b", "ü", "50%"],
    });
    for (const base of ["/v1/models/", "/api/llm/v1/models/"]) {
      for (const path of [encodeURIComponent(id), id.split("/").map(encodeURIComponent).join("/")]) {
        const response = await server.fetch(base + path);
        expect(response.status).toBe(200);
        expect(await response.json()).toMatchObject({ id, object: "model" });
      }
    }
  },
);

test("without workers the list of models is an empty array", async () => {
  const empty = new TestServer();
  const response = await empty.fetch("/v1/models");
  expect(await response.text()).toBe('{"object":"list","data":[]}');
  await empty.stop();
});

test("models are listed in order, with the second in which each was first seen", async () => {
  const response = await server.fetch("/api/llm/v1/models");
  const { data } = (await response.json()) as {
    data: { id: string; created: number; object: string; owned_by: string }[];
  };
  expect(data.map(({ id }) => id)).toEqual(data.map(({ id }) => id).sort());
  for (const card of data) {
    expect(Number.isInteger(card.created)).toBe(true);
    expect(Math.abs(card.created - Date.now() / 1000)).toBeLessThan(60);
  }
});

test.each([
  ["GET /api/state?server=all", 200],
  ["POST /api/state/workers/none/drain?plugin=llm", 404],
])("%s whose Host is none is answered like any other", async (request, status) => {
  const answer = await raw(
    `${request} HTTP/1.1\r\nHost: a b\r\nAuthorization: Bearer ${API_KEY}\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toStartWith(`HTTP/1.1 ${status}`);
});
