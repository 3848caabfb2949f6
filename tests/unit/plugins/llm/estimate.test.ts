import { describe, expect, test } from "bun:test";
import { createCaller } from "../../../../src/auth/caller.ts";
import { Fault } from "../../../../src/errors.ts";
import { inputTokens, outputTokens, spentOn } from "../../../../src/plugins/llm/estimate.ts";
import { streamFormOf } from "../../../../src/plugins/llm/stream-form.ts";
import type { Claim } from "../../../../src/pool/claim.ts";
import type { JobReport } from "../../../../src/pool/job-spec.ts";
import { AnswerEnds } from "../../../../src/reply/answer-ends.ts";

const BODY = Buffer.from(JSON.stringify({ model: "m", stream: true, prompt: "x".repeat(400) }));
const claim = {} as Claim; // only whether there is one matters

function report(more: Partial<JobReport>): JobReport {
  return {
    caller: createCaller("somebody"),
    end: { kind: "complete" },
    claim,
    attempts: 1,
    refusals: 0,
    retryReason: undefined,
    queuedMs: 0,
    firstByteMs: 1,
    durationMs: 1,
    bytesOut: 0,
    status: 200,
    ...more,
  } as JobReport; // fields that other parts add do not matter here
}

function chat(content: string): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
}

/** What a job with this answer used. */
function spent(text: string, more: Partial<JobReport> = {}, path = "/chat/completions") {
  const ends = new AnswerEnds();
  ends.push(Buffer.from(text));
  const ended = report({ bytesOut: Buffer.byteLength(text), ...more });
  return spentOn(ends, ended, streamFormOf(path), BODY);
}

describe("a stream", () => {
  test("that states its usage is not estimated", () => {
    const usage = 'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n';
    expect(spent(chat("a") + usage)).toEqual({ usage: { input_tokens: 5, output_tokens: 7 }, isEstimated: false });
  });

  test("that states none is estimated: one token for each event with text, and one for four bytes of the request", () => {
    const finish = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n';
    const { usage, isEstimated } = spent(chat("") + chat("Hello").repeat(10) + finish);
    expect([usage?.output_tokens, isEstimated]).toEqual([10, true]);
    expect(usage?.input_tokens).toBe(Math.ceil(BODY.length / 4));
  });

  test.each(["canceled", "failed"] as const)("that was %s has used what it sent so far", (kind) => {
    const end = kind === "failed" ? { kind, fault: new Fault("worker_lost"), begun: true } : { kind };
    expect(spent(chat("word").repeat(5), { end })).toMatchObject({ usage: { output_tokens: 5 }, isEstimated: true });
  });

  test("of the Messages API that broke off keeps the input that it stated", () => {
    const start =
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n';
    const delta = 'event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"word"}}\n\n';
    expect(spent(start + delta.repeat(6), { end: { kind: "canceled" } }, "/messages")).toEqual({
      usage: { input_tokens: 25, output_tokens: 6 },
      isEstimated: true,
    });
    expect(spent(start + delta, {}, "/messages").isEstimated).toBe(false);
  });

  test("whose client left before the first byte has used its prompt, if a worker had it", () => {
    const left = { end: { kind: "canceled" }, status: undefined } as const;
    expect(spent("", left)).toMatchObject({ usage: { output_tokens: 0 }, isEstimated: true });
    expect(spent("", { ...left, claim: undefined }).usage).toBeUndefined();
  });

  test("that never began, was refused, or is no event stream is not estimated", () => {
    const lost = { end: { kind: "failed", fault: new Fault("worker_lost"), begun: false }, status: undefined } as const;
    for (const none of [spent("", lost), spent(chat("x"), { status: 400 }), spent('{"content":"text"}')])
      expect(none).toEqual({ usage: undefined, isEstimated: false });
  });

  test("of no known form is not estimated", () => {
    expect(spent(chat("x"), {}, "/audio/speech")).toEqual({ usage: undefined, isEstimated: false });
  });
});

describe("output is estimated", () => {
  test.each([
    ["chat", chat("word")],
    ["reasoning", 'data: {"choices":[{"delta":{"reasoning_content":"word"}}]}\n\n'],
    ["a tool's arguments", 'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\\"a"}}]}}]}\n\n'],
    ["completions", 'data: {"choices":[{"index":0,"text":" word","finish_reason":null}]}\n\n'],
    ["responses", 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"word"}\n\n'],
    ["messages", 'event: content_block_delta\ndata: {"delta":{"type":"input_json_delta","partial_json":"{\\"a"}}\n\n'],
  ])("from events of %s", (_name, event) => {
    expect(outputTokens(event.repeat(20), event.length * 20)).toBe(20);
  });

  test("by the length of the text where events carry several tokens", () => {
    const event = chat("a sentence of forty characters, more or \\u00e9");
    expect(outputTokens(event.repeat(10), event.length * 10)).toBeGreaterThan(90);
  });

  test("for the bytes that are not kept by those that are", () => {
    const last = chat("word").repeat(100);
    expect(outputTokens(last, last.length * 50)).toBe(5000);
  });
});

test("input is estimated without images and sounds", () => {
  const text = { type: "text", text: 'Look at "data" : "this one", please' };
  const plain = Buffer.from(JSON.stringify({ messages: [{ role: "user", content: [text] }] }));
  const base64 = Buffer.alloc(300_000, 7).toString("base64");
  const parts = [
    { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
    { type: "image", source: { type: "base64", media_type: "image/png", data: base64 } },
    { type: "input_audio", input_audio: { data: base64, format: "wav" } },
  ];
  const body = Buffer.from(JSON.stringify({ messages: [{ role: "user", content: [text, ...parts] }] }));
  expect(inputTokens(body)).toBeLessThan(inputTokens(plain) + 120);
  expect(inputTokens(plain)).toBe(Math.ceil(plain.length / 4));
});
