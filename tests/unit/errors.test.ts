import { expect, test } from "bun:test";
import { ERRORS, type ErrorCode, Fault } from "../../src/errors.ts";

const DOC = await Bun.file(new URL("../../docs/errors.md", import.meta.url)).text();
const rows = DOC.split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`|`$/g, "")),
  );

test("docs/errors.md lists every error code once, and no other", () => {
  expect(rows.map(([code]) => code).sort()).toEqual(Object.keys(ERRORS).sort());
});

for (const [code = "", status, type, retryable, meaning, advice] of rows) {
  test(`docs/errors.md says of ${code} what the table says`, () => {
    const rule = ERRORS[code as ErrorCode]; // a stranger among the codes fails here
    expect({ status, type, retryable }).toEqual({
      status: String(rule.status),
      type: rule.type,
      retryable: rule.retryable ? "yes" : "no",
    });
    expect(meaning).not.toBe("");
    expect(advice).not.toBe("");
  });
}

test("an error whose status makes the SDKs retry is retryable, or says otherwise", () => {
  for (const rule of Object.values(ERRORS)) {
    // 408, 409, 429 and 5xx are retried by the official SDKs; anything else is not.
    if (rule.retryable) expect([408, 409, 429, 500, 502, 503, 504]).toContain(rule.status);
  }
});

test("a fault's body is OpenAI's error object, with its own message and field", () => {
  const fault = new Fault("model_not_found", { message: "The model 'x' does not exist here.", param: "model" });
  expect(fault.status).toBe(404);
  expect(fault.body()).toEqual({
    error: {
      message: "The model 'x' does not exist here.",
      type: "invalid_request_error",
      param: "model",
      code: "model_not_found",
    },
  });
  expect(new Fault("draining").body().error).toMatchObject({ param: null, message: ERRORS.draining.message });
});
