import { describe, expect, test } from "bun:test";
import { argumentsOf, fieldsOf } from "../../../../views/client/schema-form.ts";

const SCHEMA = {
  type: "object",
  required: ["text", "times"],
  properties: {
    text: { type: "string", description: "What to say." },
    times: { type: "integer", default: 2 },
    loud: { type: "boolean" },
    mood: { enum: ["glad", "sad"] },
    options: { type: "object" },
  },
};

describe("a form made from a tool's schema", () => {
  test("has a field for each argument, according to its type", () => {
    expect(fieldsOf(SCHEMA).map(({ name, kind, isRequired, initial }) => [name, kind, isRequired, initial])).toEqual([
      ["text", "text", true, ""],
      ["times", "number", true, "2"],
      ["loud", "switch", false, ""],
      ["mood", "choice", false, ""],
      ["options", "json", false, ""],
    ]);
  });

  test("gives the arguments by their types, without empty ones", () => {
    const fields = fieldsOf(SCHEMA);
    expect(argumentsOf(fields, { text: "", times: "3", loud: "true", options: '{"a":[1]}' })).toEqual({
      text: "",
      times: 3,
      loud: true,
      options: { a: [1] },
    });
  });

  test.each([
    [{ times: "three" }, "“times” must be a number."],
    [{ times: "" }, "“times” is required."],
    [{ times: "1", options: "{" }, "“options” takes JSON."],
  ])("names the wrong field of %p", (texts, message) => {
    expect(() => argumentsOf(fieldsOf(SCHEMA), texts)).toThrow(message);
  });

  test.each([[undefined], [null], [7], ["x"], [[]], [{ properties: [] }], [{ properties: null }]])(
    "has no fields for %p",
    (schema) => {
      expect(fieldsOf(schema)).toEqual([]);
    },
  );

  test("accepts names that are special in JavaScript", () => {
    const fields = fieldsOf(
      JSON.parse('{"properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}}}'),
    );
    const args = argumentsOf(fields, JSON.parse('{"__proto__":"a","constructor":"b"}'));
    expect(Object.keys(args)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(args)).toBe(Object.prototype);
  });
});
