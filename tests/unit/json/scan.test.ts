import { expect, test } from "bun:test";
import fc from "fast-check";
import { itemsOf, membersOf } from "../../../src/json/scan.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array, range: { start: number; end: number }): string =>
  new TextDecoder().decode(bytes.subarray(range.start, range.end));

/** JSON with white space wherever it may stand. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value))
    return `[${space}${value.map((item) => spaced(item, space)).join(`${space},${space}`)}${space}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}${space}:${space}${spaced(item, space)}`,
  );
  return `{${space}${members.join(`${space},${space}`)}${space}}`;
}

/** Sorts by names alone, because values may have properties that a comparison would call. */
function byName(object: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(object).toSorted(([a], [b]) => Number(a > b) - Number(a < b));
}

test("members of an object are found where JSON.parse finds them", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom("", " ", "\n\t "), (object, space) => {
      const bytes = bytesOf(spaced(object, space));
      const members = membersOf(bytes);
      const found = Object.fromEntries(
        [...(members ?? [])].map(([key, range]) => [key, JSON.parse(textOf(bytes, range))]),
      );
      expect(JSON.stringify(byName(found))).toBe(JSON.stringify(byName(JSON.parse(JSON.stringify(object)))));
    }),
  );
});

test("items of an array are found in order", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom("", " \n"), (array, space) => {
      const bytes = bytesOf(spaced(array, space));
      const items = [...itemsOf(bytes, 0)].map((range) => range && JSON.parse(textOf(bytes, range)));
      expect(JSON.stringify(items)).toBe(JSON.stringify(array));
    }),
  );
});

test("the last of several equal keys counts, and a key may contain escapes", () => {
  const bytes = bytesOf('{"a":1,"\\u0061":[2,3],"b":"x\\"}"}');
  const members = membersOf(bytes);
  expect(textOf(bytes, members?.get("a") ?? { start: 0, end: 0 })).toBe("[2,3]");
  expect(textOf(bytes, members?.get("b") ?? { start: 0, end: 0 })).toBe('"x\\"}"');
});

test("JSON that is cut off anywhere is no object, and never causes a loop or an exception", () => {
  const text = '{"data":[{"embedding":[1.5,-2e3],"s":"a\\\\\\"b"},[[]],{}],"n":null,"t":true}';
  for (let end = 0; end < text.length; end += 1) expect(membersOf(bytesOf(text.slice(0, end)))).toBeUndefined();
  expect(membersOf(bytesOf(text))?.size).toBe(3);
});

test("random bytes give undefined or ranges within them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const open = Uint8Array.from([0x7b, ...bytes]);
      for (const { start, end } of membersOf(open)?.values() ?? [])
        expect(start <= end && end <= open.length).toBe(true);
      for (const range of itemsOf(Uint8Array.from([0x5b, ...bytes]), 0))
        if (range) expect(range.end).toBeLessThanOrEqual(bytes.length + 1);
    }),
  );
});

test("nesting uses no stack", () => {
  const deep = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  expect(membersOf(bytesOf(deep))?.get("a")).toEqual({ start: 5, end: 400_005 });
});

test("each byte is looked at only a few times, however deeply numbers are nested", () => {
  const looks = (depth: number): number => {
    const bytes = bytesOf(`{"a":${"[1,".repeat(depth)}1${"]".repeat(depth)}}`);
    let count = 0;
    const counting = new Proxy(bytes, {
      get(target, key) {
        if (key === "indexOf") {
          return (byte: number, from: number) => {
            const at = target.indexOf(byte, from);
            count += (at < 0 ? target.length : at) - from;
            return at;
          };
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    expect(membersOf(counting)?.has("a")).toBe(true);
    return count / bytes.length;
  };
  expect(looks(4000)).toBeLessThan(8);
});
