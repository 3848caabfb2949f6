import fc from "fast-check";

/** White space as it may stand between the tokens of JSON. */
const space = fc.constantFrom("", "", "", " ", "\n", "\t\r\n ");
const number = fc.oneof(
  fc.constantFrom(
    "0",
    "-0",
    "-0.0",
    "1e5",
    "1E+05",
    "1.50",
    "12345678901234567890",
    "-9007199254740993",
    "0.1e-7",
    "1e400",
    "1E-400",
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);

/** A character of a string, in any way in which JSON can write it. */
const character = fc.oneof(
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .map((text) => JSON.stringify(text.toWellFormed()).slice(1, -1)),
  fc.nat({ max: 0xffff }).map((code) => `\\u${code.toString(16).padStart(4, "0")}`),
  fc.constantFrom('\\"', "\\\\", "\\/", "\\n", "[", "]", "{", "}", ",", ":", "\u007f", "\u2028", "😀"),
);
const string = fc.array(character, { maxLength: 6 }).map((characters) => `"${characters.join("")}"`);

/** A key in any spelling: each character plain or as an escape. */
export function writtenKey(key: string): fc.Arbitrary<string> {
  const escaped = [...key].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return fc
    .array(fc.boolean(), { minLength: key.length, maxLength: key.length })
    .map((picks) => `"${[...key].map((char, at) => (picks[at] ? escaped[at] : char)).join("")}"`);
}

/** An object as text, with its members in this order and optional white space between all tokens. */
export function jsonObject(
  members: fc.Arbitrary<readonly (readonly [key: string, value: string])[]>,
): fc.Arbitrary<string> {
  return fc
    .tuple(members, space, space)
    .map(
      ([each, a, b]) => `${a}{${b}${each.map(([key, value]) => `${key}${a}:${b}${value}`).join(`${a},${b}`)}${b}}${a}`,
    );
}

/**
 * Any JSON value as text, including forms that `JSON.stringify` never writes: duplicate names, needless escapes, lone
 * surrogates, numbers beyond JavaScript's, and white space between all tokens.
 */
export const jsonDocument: fc.Arbitrary<string> = fc.letrec<{ value: string; array: string; object: string }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.constantFrom("null", "true", "false"),
      number,
      string,
      tie("array"),
      tie("object"),
    ),
    array: fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), space)
      .map(([items, gap]) => `[${gap}${items.join(`${gap},${gap}`)}${gap}]`),
    object: jsonObject(
      fc.array(fc.tuple(fc.oneof(string, writtenKey("model"), writtenKey("__proto__")), tie("value")), {
        maxLength: 4,
      }),
    ),
  }),
).value;
