import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseLlmRequest } from "../../../../src/plugins/llm/request.ts";
import { askForUsage, mayAskForUsage } from "../../../../src/plugins/llm/usage-request.ts";
import { editedBody } from "../../../../src/worker/edit-body.ts";
import { times } from "../../../support/times.ts";

const CHAT = "/chat/completions";

function mayAsk(text: string, path = CHAT): boolean {
  return mayAskForUsage(path, parseLlmRequest(Buffer.from(text)));
}

/** The body after the change that asks for the usage. */
function asked(text: string): string {
  const body = Buffer.from(text);
  const edit = askForUsage(body, parseLlmRequest(body)) ?? expect.unreachable();
  return Buffer.from(editedBody(body, edit) as Uint8Array).toString(); // a whole body stays whole
}

describe("a request may ask for the usage in its client's place", () => {
  test.each([
    ["without options", '{"model":"m","stream":true}', true],
    ["with empty options", '{"model":"m","stream":true,"stream_options":{}}', true],
    [
      "with options of another kind",
      '{"model":"m","stream":true,"stream_options":{"include_obfuscation":false}}',
      true,
    ],
    ["with options that are null", '{"model":"m","stream":true,"stream_options":null}', true],
    [
      "that says that it does not want it",
      '{"model":"m","stream":true,"stream_options":{"include_usage":false}}',
      true,
    ],
    ["that asks itself", '{"model":"m","stream":true,"stream_options":{"include_usage":true}}', false],
    ["that is not streamed", '{"model":"m"}', false],
    ["whose options no server takes", '{"model":"m","stream":true,"stream_options":[]}', false],
    ["that wants no such value", '{"model":"m","stream":true,"stream_options":{"include_usage":1}}', false],
    ["with options in another case", '{"model":"m","stream":true,"Stream_Options":{"include_usage":true}}', false],
    [
      "that would get it in every event",
      '{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":true}}',
      false,
    ],
  ])("%s", (_name, text, expected) => {
    expect(mayAsk(text)).toBe(expected);
  });

  test.each([
    [CHAT, true],
    ["/completions", true],
    ["/responses", false],
    ["/messages", false],
    ["/embeddings", false],
    ["/CHAT/completions", false],
  ])("at %s", (path, expected) => {
    expect(mayAsk('{"model":"m","stream":true}', path)).toBe(expected);
  });
});

test.each([
  [' {"model":"m","stream":true}', ' {"stream_options":{"include_usage":true},"model":"m","stream":true}'],
  [
    '{"model":"m", "stream_options" : { } ,"stream":true}',
    '{"model":"m", "stream_options" : {"include_usage":true } ,"stream":true}',
  ],
  [
    '{"model":"m","stream_options":{ "a":1.50},"stream":true}',
    '{"model":"m","stream_options":{"include_usage":true, "a":1.50},"stream":true}',
  ],
  [
    '{"model":"m","stream_options":{"include_usage": false ,"a":1},"stream":true}',
    '{"model":"m","stream_options":{"include_usage": true ,"a":1},"stream":true}',
  ],
  [
    '{"model":"m","stream":true,"stream_options":null}',
    '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
  ],
])("%s becomes %s, byte for byte", (before, after) => {
  expect(asked(before)).toBe(after);
});

test("whatever a request contains, only its options change", () => {
  const options = fc.constantFrom(
    undefined,
    null,
    {},
    { include_usage: false },
    { include_usage: null, x: [1] },
    { x: "{" },
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      options,
      fc.nat({ max: 2 }),
      (more, stream_options, indent) => {
        const request = { ...more, stream_options, model: "m", stream: true };
        const text = JSON.stringify(request, undefined, indent);
        if (!mayAsk(text)) return;
        const parsed: unknown = JSON.parse(text);
        expect(JSON.parse(asked(text))).toEqual({
          ...(parsed as object), // what was written is an object
          stream_options: { ...stream_options, include_usage: true },
        });
      },
    ),
    { numRuns: times(300) },
  );
});
