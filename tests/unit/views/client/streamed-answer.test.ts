import { expect, test } from "bun:test";
import { speedOf } from "../../../../views/client/streamed-answer.ts";

const ANSWER = { startedAt: 1000, firstAt: 1300, pieces: 11, tokens: null };

test("an answer's speed counts the tokens that the model server states, else its pieces", () => {
  expect(speedOf(ANSWER, 1800)).toBe("first text after 300 ms, about 20 tokens/s");
  expect(speedOf({ ...ANSWER, tokens: 51 }, 1800)).toBe("first text after 300 ms, 100 tokens/s");
  expect(speedOf({ ...ANSWER, pieces: 1 }, 1800)).toBe("first text after 300 ms");
  expect(speedOf({ ...ANSWER, firstAt: 0 }, 1800)).toBe("no text after 800 ms");
});
