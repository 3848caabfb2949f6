import { expect, test } from "bun:test";
import fc from "fast-check";
import { readUsage } from "../../../src/plugins/llm/usage.ts";
import { AnswerEnds } from "../../../src/reply/answer-ends.ts";

function usageOf(...pieces: readonly string[]) {
  const tail = new AnswerEnds();
  for (const piece of pieces) tail.push(new TextEncoder().encode(piece));
  return readUsage(tail);
}

test.each([
  [
    "chat",
    '{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}',
    { input_tokens: 5, output_tokens: 7 },
  ],
  ["embeddings", '{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}', { input_tokens: 5, output_tokens: 0 }],
  [
    "responses",
    'event: response.completed\ndata: {"response":{"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":4}}}\n\n',
    { input_tokens: 3, cached_tokens: 1, output_tokens: 4 },
  ],
  [
    "DeepSeek",
    '{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}}',
    { input_tokens: 9, cached_tokens: 8, output_tokens: 2 },
  ],
  [
    "Moonshot",
    '{"usage":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":4}}',
    { input_tokens: 9, cached_tokens: 4, output_tokens: 2 },
  ],
  [
    "details without the cached tokens",
    '{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":0}}}',
    { input_tokens: 9, output_tokens: 2 },
  ],
  [
    "Ollama's own API",
    '{"message":{"content":"hi"},"done":false}\n{"done":true,"total_duration":5,"prompt_eval_count":26,"prompt_eval_duration":1,"eval_count":298,"eval_duration":47}\n',
    { input_tokens: 26, output_tokens: 298 },
  ],
  [
    "an earlier one before a null",
    'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: {"usage":null}\n\ndata: [DONE]\n\n',
    { input_tokens: 1, output_tokens: 2 },
  ],
])("usage is read from %s", (_name, text, usage) => {
  expect(usageOf(text)).toEqual(usage);
});

test("the Messages API counts its input in the first event and its output in the last", () => {
  const first = 'event: message_start\ndata: {"message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n';
  const middle = `data: {"delta":"${"x".repeat(40_000)}"}\n\n`;
  const last = 'event: message_delta\ndata: {"usage":{"output_tokens":15}}\n\n';
  expect(usageOf(first, middle, last)).toEqual({ input_tokens: 25, output_tokens: 15 });
});

test("the Messages API's input includes what was read from a cache and written to one, in streams of any length", () => {
  const usage = '{"input_tokens":13,"cache_read_input_tokens":24,"cache_creation_input_tokens":5,"output_tokens":1}';
  const first = `event: message_start\ndata: {"message":{"usage":${usage}}}\n\n`;
  const last = 'event: message_delta\ndata: {"usage":{"output_tokens":3}}\n\n';
  const expected = { input_tokens: 42, cached_tokens: 24, output_tokens: 3 };
  expect(usageOf(first, last)).toEqual(expected);
  expect(usageOf(first, `data: {"delta":"${"x".repeat(40_000)}"}\n\n`, last)).toEqual(expected);
  expect(usageOf(`{"type":"message","usage":${usage}}`)).toEqual({ ...expected, output_tokens: 1 });
});

test("cached tokens that a stream of the Messages API states at its start only are kept", () => {
  const start = '{"input_tokens":13,"cache_read_input_tokens":24,"output_tokens":1}';
  const first = `event: message_start\ndata: {"message":{"usage":${start}}}\n\n`;
  const last = 'event: message_delta\ndata: {"type":"message_delta","usage":{"input_tokens":13,"output_tokens":3}}\n\n';
  expect(usageOf(first, last)).toEqual({ input_tokens: 37, cached_tokens: 24, output_tokens: 3 });
});

test("cached tokens of llama.cpp's timings are added to a usage without them, if both count the same input", () => {
  const timings = '"timings":{"cache_n":30,"prompt_n":12,"predicted_n":7}';
  const chunk = `data: {"choices":[],"usage":{"prompt_tokens":42,"completion_tokens":7},${timings}}\n\n`;
  expect(usageOf(chunk)).toEqual({ input_tokens: 42, cached_tokens: 30, output_tokens: 7 });
});

test("usage whose JSON is spread over several data lines is counted", () => {
  const event = 'data: {"choices":[],\ndata: "usage":\ndata: {"prompt_tokens":5,\r\ndata:"completion_tokens":7}}\n\n';
  expect(usageOf('data: {"choices":[]}\n\n', event, "data: [DONE]\n\n")).toEqual({ input_tokens: 5, output_tokens: 7 });
});

test("usage in the middle of a long answer that is not streamed is counted, wherever the answer is cut", () => {
  const usage = '"usage":{"prompt_tokens":5,"completion_tokens":7}';
  const text = `{"choices":["${"x".repeat(30_000)}"],${usage},"prompt_logprobs":["${"y".repeat(40_000)}"]}`;
  const bytes = new TextEncoder().encode(text);
  for (const size of [13, 100, 1000, 4096, 16_384, 20_000, 40_000, bytes.length]) {
    const [sought, streamed] = [new AnswerEnds(true), new AnswerEnds()];
    for (let at = 0; at < bytes.length; at += size)
      for (const ends of [sought, streamed]) ends.push(bytes.subarray(at, at + size));
    expect([size, readUsage(sought)]).toEqual([size, { input_tokens: 5, output_tokens: 7 }]);
    expect(readUsage(streamed)).toBeUndefined();
  }
});

test("llama.cpp's timings are counted where no usage is stated, and usage where both are", () => {
  const timings = '"timings":{"cache_n":30,"prompt_n":12,"prompt_ms":4.5,"predicted_n":7,"predicted_ms":20.1}';
  const chunk = `data: {"choices":[{"finish_reason":"stop","delta":{}}],${timings}}\n\n`;
  expect(usageOf(chunk, "data: [DONE]\n\n")).toEqual({ input_tokens: 42, cached_tokens: 30, output_tokens: 7 });
  const both = `data: {"usage":{"prompt_tokens":1,"completion_tokens":2},${timings}}\n\n`;
  expect(usageOf(both)).toEqual({ input_tokens: 1, output_tokens: 2 });
});

test("input tokens reported at the start of a long stream are found, wherever the event is split", () => {
  const first = 'event: message_start\ndata: {"message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n';
  const middle = `data: {"delta":"${"x".repeat(40_000)}"}\n\n`;
  const last = 'event: message_delta\ndata: {"usage":{"output_tokens":15}}\n\n';
  for (let cut = 0; cut <= first.length; cut += 1)
    expect(usageOf(first.slice(0, cut), first.slice(cut), middle, last)).toEqual({
      input_tokens: 25,
      output_tokens: 15,
    });
});

test("a stream gives the same usage wherever it is split", () => {
  const text =
    'data: {"choices":[{"delta":{"content":"äöü"}}],"usage":null}\n\ndata: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\ndata: [DONE]\n\n';
  const bytes = new TextEncoder().encode(text);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const tail = new AnswerEnds();
      for (let index = 1; index < at.length; index += 1) tail.push(bytes.subarray(at[index - 1], at[index]));
      expect(readUsage(tail)).toEqual({ input_tokens: 11, output_tokens: 22 });
    }),
  );
});

test('the word "usage" inside a text is not taken for the count', () => {
  expect(usageOf('{"choices":[{"message":{"content":"\\"usage\\":{\\"prompt_tokens\\":9}"}}]}')).toBeUndefined();
  expect(
    usageOf('{"content":"\\"usage\\": {\\"prompt_tokens\\": 9}","usage":{"prompt_tokens":1,"completion_tokens":1}}'),
  ).toEqual({ input_tokens: 1, output_tokens: 1 });
});

test.each([
  "",
  "{",
  '"usage"',
  '{"usage":{',
  '{"usage":{"prompt_tokens":-1}}',
  '{"usage":{"prompt_tokens":1.5}}',
  '{"usage":{"prompt_tokens":1e300}}',
  '{"usage":"lots"}',
  '{"text":"\\"eval_count\\":5, \\"eval_duration\\":1"}',
  '{"eval_count":5}',
])("%j gives no usable count", (text) => {
  expect(usageOf(text)).toBeUndefined();
});

test("only the last 16 KiB of a large answer are kept", () => {
  const tail = new AnswerEnds();
  const piece = new Uint8Array(1000).fill(0x20);
  for (let count = 0; count < 10_000; count += 1) tail.push(piece);
  tail.push(new TextEncoder().encode('"usage":{"prompt_tokens":1,"completion_tokens":2}'));
  expect(readUsage(tail)).toEqual({ input_tokens: 1, output_tokens: 2 });
});

test("a tail full of apparent counts is abandoned after a few tries", () => {
  const text = '"usage":{"a":1,}'.repeat(1000);
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = ((...args: Parameters<typeof parse>) => {
    parsed += 1;
    return parse(...args);
  }) as typeof parse;
  try {
    expect(usageOf(text)).toBeUndefined();
  } finally {
    JSON.parse = parse;
  }
  expect(parsed).toBeLessThan(200);
});
