import { expect, test } from "bun:test";
import { LateAnswer } from "../../../src/reply/late-answer.ts";

function messageOf(headers: [string, string][], ...pieces: (string | Uint8Array)[]): string {
  const answer = new LateAnswer({ status: 400, headers });
  for (const piece of pieces) answer.push(Buffer.from(piece));
  return answer.toError().message;
}

test("an OpenAI error is quoted by its message, however it is split", () => {
  const message = messageOf([], '{"error":{"mess', 'age":"context too long"}}');
  expect(message).toBe("The model server answered 400: context too long");
});

test("any other text is quoted, up to 2,000 characters of it", () => {
  expect(messageOf([], "no ", "room")).toBe("The model server answered 400: no room");
  expect(messageOf([], ...Array(100).fill("x".repeat(10_000)))).toHaveLength(
    "The model server answered 400: ".length + 2000,
  );
});

test("a compressed body is named and not quoted", () => {
  const message = messageOf([["content-encoding", "gzip"]], Bun.gzipSync("no room"));
  expect(message).toBe("The model server answered 400, with a compressed body.");
});

test.each([
  [
    '{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":4096}}',
    { type: "exceed_context_size_error", code: 400, param: null },
  ],
  [
    '{"error":{"message":"no","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
    { type: "invalid_request_error", code: "context_length_exceeded", param: "messages" },
  ],
  [
    '{"type":"error","error":{"type":"invalid_request_error","message":"no"}}',
    { type: "invalid_request_error", code: "upstream_error", param: null },
  ],
  ["no room", { type: "invalid_request_error", code: "upstream_error", param: null }],
])("an error keeps its status, and its code and type if it gives any: %s", (body, expected) => {
  const answer = new LateAnswer({ status: 400, headers: [] });
  answer.push(Buffer.from(body));
  expect(answer.toError().body()).toMatchObject({ error: { ...expected, status: 400 } });
});
