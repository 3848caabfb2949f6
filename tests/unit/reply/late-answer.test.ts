import { expect, test } from "bun:test";
import { LateAnswer } from "../../../src/reply/late-answer.ts";

function messageOf(headers: [string, string][], ...pieces: (string | Uint8Array)[]): string {
  const answer = new LateAnswer({ status: 400, headers });
  for (const piece of pieces) answer.push(Buffer.from(piece));
  return answer.toFault().message;
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
