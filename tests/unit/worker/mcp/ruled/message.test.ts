import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isRecord } from "../../../../../src/json/parse.ts";
import { idIn, readMessage } from "../../../../../src/worker/mcp/ruled/message.ts";
import "../../../../support/seed.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const CALL = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "read", arguments: { n: 1 } } };

describe("a message of a client", () => {
  test("is read, with its arguments as they are written", () => {
    const text =
      '\n {"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"n\\u0061me":"r","arguments":{"big": 12345678901234567890}}} ';
    const { message } = readMessage(bytes(text));
    expect(message).toMatchObject({ id: "a", method: "tools/call", params: { name: "r" } });
    expect(message?.argumentsText()).toBe('{"big": 12345678901234567890}');
  });

  test("may be a notification, or a response to the server", () => {
    expect(readMessage(bytes('{"jsonrpc":"2.0","method":"notifications/initialized"}')).message).toMatchObject({
      id: undefined,
      params: {},
    });
    expect(readMessage(bytes('{"jsonrpc":"2.0","id":1,"result":{}}')).message?.method).toBeUndefined();
  });

  test.each([
    ["the method twice", '{"method":"tools/list","method":"tools/call","params":{"name":"x"}}'],
    [
      "the method twice, once with an escape",
      '{"method":"tools/list","m\\u0065thod":"tools/call","params":{"name":"x"}}',
    ],
    ["the params twice", '{"method":"tools/call","params":{"name":"read"},"params":{"name":"drop"}}'],
    ["the name twice", '{"method":"tools/call","params":{"name":"read","name":"drop"}}'],
    [
      "the name twice, with a deep value between",
      '{"method":"tools/call","params":{"name":"a","x":[[{"name":1}]],"name":"b"}}',
    ],
    ["the name in another case", '{"method":"tools/call","params":{"name":"read","Name":"drop"}}'],
    ["only a name in another case", '{"method":"tools/call","params":{"NAME":"drop"}}'],
    ["a name with a letter that folds into one of it", '{"method":"tools/call","paramſ":{"name":"drop"}}'],
    ["the method in another case", '{"Method":"tools/call","method":"ping","params":{"name":"drop"}}'],
    ["a reference twice", '{"method":"completion/complete","params":{"ref":{"name":"a","name":"b"}}}'],
    [
      "subscriptions twice",
      '{"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[],"resourceSubscriptions":["x"]}}}',
    ],
    ["a batch", `[${JSON.stringify(CALL)}]`],
    ["no object", '"tools/call"'],
    ["null", "null"],
    ["a method that is no text", '{"method":["tools/call"]}'],
  ])("is refused with %s", (_what, text) => {
    expect(readMessage(bytes(text)).fault?.code).toBe(-32_600);
  });

  test.each([
    ["a byte order mark", "\ufeff{}"],
    ["a comment", '{"method":"ping"/*x*/}'],
    ["something behind it", '{"method":"ping"}{}'],
    ["a zero byte behind it", '{"method":"ping"}\0'],
    ["a single quote", "{'method':'ping'}"],
    ["a comma too many", '{"method":"ping",}'],
    ["nothing in it", ""],
  ])("is no JSON with %s", (_what, text) => {
    expect(readMessage(bytes(text)).fault?.code).toBe(-32_700);
  });

  test("is no JSON in an encoding other than UTF-8, or one that is malformed", () => {
    expect(readMessage(Buffer.from(JSON.stringify(CALL), "utf16le")).fault?.code).toBe(-32_700);
    expect(readMessage(Buffer.concat([bytes('{"method":"'), Buffer.from([0xc0, 0xae]), bytes('"}')])).fault?.code).toBe(
      -32_700,
    );
  });

  test("is refused soon with more members than any message has", () => {
    const many = Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(",");
    for (const text of [`{"method":"ping",${many}}`, `{"method":"tools/call","params":{${many}}}`])
      expect(readMessage(bytes(text)).fault?.code).toBe(-32_600);
  });

  test("may have equal members where nothing is judged", () => {
    const text = '{"method":"tools/call","params":{"name":"read","arguments":{"name":1,"name":2,"Name":3}}}';
    expect(readMessage(bytes(text)).message).toBeDefined();
  });
});

test("the id of a message is found in the beginning of it", () => {
  expect(idIn(bytes('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"a":"xx'))).toBe(7);
  expect(idIn(bytes(`{"id":"a`))).toBeUndefined();
  expect(idIn(bytes("nonsense"))).toBeUndefined();
});

/**
 * Reads a message as a lenient program might: names may have any case, and the first or the last of equal members counts, at
 * both levels that are judged. It marks each member, so that none hides another one from `JSON.parse`.
 */
function leniently(text: string, isFirst: boolean): Record<string, unknown> {
  let count = 0;
  const marked: unknown = JSON.parse(
    text.replace(/"([^"]*)"(?=\s*:)/g, (_all, key) => {
      count += 1;
      return `"${key}#${count}"`;
    }),
  );
  const toPlain = (value: unknown): unknown => {
    if (!isRecord(value)) return value;
    const members = Object.entries(value).map(([key, of]) => {
      const plain = key.replace(/#\d+$/, "").normalize("NFKC").toLowerCase();
      return [plain, toPlain(of)] as const;
    });
    return Object.fromEntries(isFirst ? members.toReversed() : members);
  };
  const plain = toPlain(marked);
  return isRecord(plain) ? plain : {};
}

describe("whatever is accepted", () => {
  // Names that some parser or other might take for those that count.
  const name = fc.constantFrom(
    "name",
    "Name",
    "n\\u0061me",
    "method",
    "Method",
    "params",
    "PARAMS",
    "paramſ",
    "id",
    "x",
    "arguments",
  );
  const leaf = fc.constantFrom('"read_a"', '"drop"', '"tools/call"', '"ping"', "1", "null", "[]", '"\\u0064rop"');
  const object = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .array(fc.tuple(name, value, fc.constantFrom("", " ", "\n")), { maxLength: 5 })
      .map((members) => `{${members.map(([key, of, space]) => `${space}"${key}"${space}:${space}${of}`).join(",")}}`);
  const message = object(fc.oneof(leaf, object(fc.oneof(leaf, object(leaf)))));

  test("means the same to a parser that takes the first of equal members, and names in any case", () => {
    fc.assert(
      fc.property(message, (text) => {
        const read = readMessage(bytes(text)).message;
        if (read === undefined) return;
        for (const isFirst of [true, false]) {
          const lenient = leniently(text, isFirst);
          expect(lenient["method"]).toEqual(read.method);
          const params = lenient["params"];
          if (isRecord(params)) expect(params["name"]).toEqual(read.params["name"]);
        }
      }),
    );
  });
});
