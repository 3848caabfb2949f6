import { afterEach, beforeEach, expect, test } from "bun:test";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
beforeEach(() => {
  server = new TestServer({ queueTimeoutMs: 50, maxJsonBodyBytes: 2000, earlyHeadersMs: 20 });
});
afterEach(() => server.stop());

const PATHS = ["/v1/messages", "/api/llm/v1/messages", "/api/llm/v1/messages/count_tokens"];
const ask = (path: string, more: object = {}, init: RequestInit = {}): Promise<Response> =>
  server.post(path, { model: "m", max_tokens: 5, messages: [], ...more }, init);

interface AnthropicError {
  readonly type: string;
  readonly error: { readonly type: string; readonly message: string; readonly code: string };
  readonly request_id: string;
}

test.each(PATHS)("errors of POST %s are in Anthropic's form, with the request id in both headers", async (path) => {
  const worker = await server.worker();
  const cases: readonly [Promise<Response>, number, string, string][] = [
    [ask(path, {}, { headers: { authorization: "Bearer wrong" } }), 401, "authentication_error", "invalid_api_key"],
    [ask(path, { model: "other" }), 404, "not_found_error", "model_not_found"],
    [ask(path, { more: "x".repeat(3000) }), 413, "request_too_large", "request_too_large"],
    [ask(path, { stream: "yes" }), 400, "invalid_request_error", "invalid_request"],
  ];
  for (const [answer, status, type, code] of cases) {
    const response = await answer;
    const id = response.headers.get("x-request-id");
    expect([response.status, response.headers.get("request-id")]).toEqual([status, id]);
    const body = (await response.json()) as AnthropicError; // The assertions look at the shape.
    expect(body).toMatchObject({ type: "error", error: { type, code }, request_id: id ?? "" });
    expect(body.error.message.length).toBeGreaterThan(10);
  }
  const running = ask(path);
  const { id } = await worker.request();
  const full = await ask(path);
  expect([full.status, full.headers.get("retry-after") !== null]).toEqual([503, true]);
  expect(await full.json()).toMatchObject({ type: "error", error: { type: "overloaded_error" } });
  worker.answerJson(id, { type: "message" });
  const answered = await running;
  expect(answered.headers.get("request-id")).toBe(answered.headers.get("x-request-id"));
});

test("errors of other paths keep OpenAI's form and have no request-id", async () => {
  const response = await server.post("/v1/chat/completions", { model: "other" });
  expect(response.headers.has("request-id")).toBe(false);
  expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", code: "model_not_found" } });
});

test("a failure in a stream is an error event of Anthropic's form", async () => {
  const worker = await server.worker();
  const answer = ask("/v1/messages", { stream: true });
  worker.head((await worker.request()).id, 200, undefined, "event: ping\ndata: {}\n\n");
  const response = await answer;
  worker.kill();
  expect(await response.text()).toContain('event: error\ndata: {"type":"error","error":{"type":"api_error","message":');
});

test("a model server's error that comes after the stream was opened keeps its type, code and status in the event", async () => {
  const worker = await server.worker({ max_concurrency: 2 });
  const tooLong = { error: { code: 400, message: "too long", type: "exceed_context_size_error" } };
  const answers = ["/v1/chat/completions", "/v1/messages", "/v1/responses"].map((path) => ask(path, { stream: true }));
  const texts: string[] = [];
  for (const answer of answers) {
    const { id } = await worker.request();
    const response = await answer;
    worker.answerJson(id, tooLong, 400);
    texts.push(await response.text());
  }
  const [chat = "", messages = "", responses = ""] = texts;
  expect(JSON.parse(/data: (.*)/.exec(chat)?.[1] ?? "")).toEqual({
    error: {
      status: 400,
      type: "exceed_context_size_error",
      param: null,
      code: 400,
      message: "The model server answered 400: too long",
    },
  });
  expect(messages).toContain('{"type":"error","error":{"type":"exceed_context_size_error","message":');
  expect(responses).toContain('"type":"error","code":400,"message":"The model server answered 400: too long"');
});

test.each(["/rerank", "/v2/rerank", "/v1/v2/rerank", "/api/llm/v2/rerank", "/v1/rerank"])(
  "POST %s reaches the model server's rerank",
  async (path) => {
    const worker = await server.worker();
    const answer = server.post(path, { model: "m", query: "a", documents: ["b"] });
    const { id, head } = await worker.request();
    worker.answerJson(id, { results: [] });
    expect([head.path, (await answer).status]).toEqual(["/rerank", 200]);
  },
);

test("a stream keeps its model server's Cache-Control, and gets the server's own if it has none", async () => {
  const worker = await server.worker({ max_concurrency: 2 });
  const controls: (string | null)[] = [];
  for (const own of [[["cache-control", "no-store"]], []] as const) {
    const answer = server.chat("m", { stream: true });
    worker.head(
      (await worker.request()).id,
      200,
      [["content-type", "text/event-stream"], ...own],
      "data: [DONE]\n\n",
      true,
    );
    controls.push((await answer).headers.get("cache-control"));
  }
  expect(controls).toEqual(["no-store", "no-cache, no-transform"]);
});
