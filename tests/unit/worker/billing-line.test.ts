import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { billingEdits, shiftedBy, withEdits } from "../../../src/worker/billing-line.ts";

const LINE = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;";
const PROMPT = "You are Claude Code, Anthropic's official CLI for Claude.";

function sent(text: string): string {
  const body = Buffer.from(text);
  return Buffer.from(withEdits(body, billingEdits(body))).toString();
}
const sentJson = (json: object): unknown => JSON.parse(sent(JSON.stringify(json)));
const block = (text: string, more: object = {}): object => ({ type: "text", text, ...more });

describe("Claude Code's billing line", () => {
  test("is left out of the system prompt with its block, and every other byte stays", () => {
    const rest = `{"type":"text", "text":"${PROMPT}","cache_control":{"type":"ephemeral"}} , {"type":"text","text":"\\u00e9"} ]`;
    const head = '{ "model" : "m", "max_tokens":1.50, "messages":[{"role":"user","content":"x"}], "system": [';
    const text = `${head} {"type":"text","text":"${LINE}"}, ${rest} , "stream":true}`;
    expect(sent(text)).toBe(`${head}${rest} , "stream":true}`);
  });

  test("makes two requests that differ in nothing else the same", () => {
    const of = (cch: string): string =>
      sent(JSON.stringify({ model: "m", system: [block(`x-anthropic-billing-header: cch=${cch};`), block(PROMPT)] }));
    expect(of("36ee5")).toBe(of("eb6c6"));
  });

  test.each<[string, object, object]>([
    ["a system prompt that is a text", { system: `${LINE}\n${PROMPT}` }, { system: PROMPT }],
    ["a block that has more text", { system: [block(`${LINE}\n${PROMPT}`)] }, { system: [block(PROMPT)] }],
    [
      "a chat's first message",
      {
        messages: [
          { role: "system", content: `${LINE}\n${PROMPT}` },
          { role: "user", content: "x" },
        ],
      },
      {
        messages: [
          { role: "system", content: PROMPT },
          { role: "user", content: "x" },
        ],
      },
    ],
    [
      "blocks of a chat's developer message",
      { messages: [{ role: "developer", content: [block(PROMPT), block(LINE)] }] },
      { messages: [{ role: "developer", content: [block(PROMPT)] }] },
    ],
    ["the instructions of a response", { instructions: `${LINE}\nBe brief.` }, { instructions: "Be brief." }],
    [
      "the input of a response",
      { input: [{ role: "system", content: [block(LINE), block("a"), block("b")] }] },
      { input: [{ role: "system", content: [block("a"), block("b")] }] },
    ],
    [
      "several blocks",
      { system: [block(LINE), block("a"), block(LINE), block("b")] },
      { system: [block("a"), block("b")] },
    ],
  ])("is left out of %s", (_where, before, after) => {
    expect(sentJson({ model: "m", ...before })).toEqual({ model: "m", ...after });
  });

  test("leaves an empty block behind if there is no other, since some servers refuse an empty list", () => {
    expect(sentJson({ system: [block(LINE)] })).toEqual({ system: [block("")] });
    expect(sentJson({ system: LINE })).toEqual({ system: "" });
  });

  test.each([
    ["in what a user says", { messages: [{ role: "user", content: LINE }] }],
    [
      "after a message of the user",
      {
        messages: [
          { role: "user", content: "x" },
          { role: "system", content: LINE },
        ],
      },
    ],
    ["in the middle of a text", { system: `Note:\n${LINE}` }],
    ["in a tool", { tools: [{ name: "t", description: LINE }] }],
    ["as something else than a text", { system: [{ type: "text", text: [LINE] }, { [LINE]: 1 }, LINE, 5, null] }],
  ])("stays %s", (_where, json) => {
    const text = JSON.stringify(json);
    expect(sent(text)).toBe(text);
  });

  test("costs other requests no scan, and broken JSON no error", () => {
    expect(billingEdits(Buffer.from('{"system":"x"}'))).toEqual([]);
    for (const text of [LINE, `{"system":["${LINE}`, `{"messages":[{"role":"system","content":"${LINE}`, `[${LINE}]`])
      expect(sent(text)).toBe(text);
  });

  test("leaves valid JSON with the other blocks, whatever the blocks are", () => {
    const some = fc.oneof(
      fc.constant(block(LINE)),
      fc.jsonValue(),
      fc.string().map((text) => block(text)),
    );
    fc.assert(
      fc.property(fc.array(some), fc.nat(3), (system, spaces) => {
        const isLine = (each: unknown): boolean => Bun.deepEquals(each, block(LINE));
        const kept = system.filter((each) => !isLine(each));
        const expected = kept.length > 0 ? kept : system.map(() => block(""));
        const text = JSON.stringify({ system, model: "m" }, null, spaces);
        expect(JSON.parse(sent(text))).toEqual(JSON.parse(JSON.stringify({ system: expected, model: "m" })));
      }),
    );
  });
});

test("a change to the body as it was is shifted to its place in the changed body", () => {
  const body = Buffer.from(JSON.stringify({ system: [block(LINE), block(PROMPT)], model: "m" }));
  const edits = billingEdits(body);
  const changed = withEdits(body, edits);
  const ask = '"stream_options":{"include_usage":true},';
  for (const at of [1, body.indexOf('"model"')]) {
    const shifted = shiftedBy(edits, { at, end: at, text: ask });
    const both = JSON.parse(Buffer.from(withEdits(changed, [shifted])).toString());
    expect(both).toEqual({ system: [block(PROMPT)], model: "m", stream_options: { include_usage: true } });
  }
});
