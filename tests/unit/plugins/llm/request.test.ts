import { expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../../../src/errors.ts";
import { withModel } from "../../../../src/models/named-body.ts";
import { PartCutter, parseEmbeddingInput } from "../../../../src/plugins/llm/embedding-input.ts";
import { parseLlmRequest } from "../../../../src/plugins/llm/request.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("no fault");
}

test("a body that is not UTF-8 is invalid_json", () => {
  expect(faultOf(() => parseLlmRequest(Uint8Array.from([0x7b, 0xff, 0x7d]))).code).toBe("invalid_json");
});

test("deeply nested JSON gives a fault and no crash", () => {
  const deep = `{"model":"m","x":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`;
  try {
    expect(parseLlmRequest(bytesOf(deep)).model).toBe("m");
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
  }
});

test("a model's name under a member in other letters is refused, since some backends would take it", () => {
  for (const name of ["Model", "MODEL", "mod\\u0045l"]) {
    const body = bytesOf(`{"model":"one","${name}":"another"}`);
    expect(faultOf(() => parseLlmRequest(body)).code).toBe("invalid_request");
  }
  expect(parseLlmRequest(bytesOf('{"model":"one","model_":1,"options":{"Model":"another"}}')).model).toBe("one");
});

test("renaming the model changes no other byte", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1 }),
      (rest, from, to) => {
        const before = JSON.stringify({ model: "", ...rest, model2: { model: from } });
        const text = before.replace('"model":""', () => `"model":${JSON.stringify(from)}`);
        fc.pre(Object.hasOwn(rest, "model") === false);
        expect(textOf(withModel(bytesOf(text), to))).toBe(
          before.replace('"model":""', () => `"model":${JSON.stringify(to)}`),
        );
      },
    ),
  );
});

test("the parts of an embeddings request are its inputs in order, each once, byte for byte", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (texts, sizes) => {
        const body = bytesOf(JSON.stringify({ input: texts, model: "m" }));
        const cutter = new PartCutter(body);
        const seen: string[] = [];
        for (let turn = 0; !cutter.isEmpty; turn += 1) {
          const part = cutter.next(sizes[turn % sizes.length] ?? 1);
          if (!part) throw new Error("no part although some are left");
          // Every third part fails once and comes again, in other sizes.
          if (turn % 3 === 2) {
            cutter.putBack(part);
            const again = cutter.next(1);
            if (!again) throw new Error("what was put back is gone");
            expect(again.offset).toBe(part.offset);
            seen.push(...JSON.parse(textOf(again.body)).input);
            continue;
          }
          expect(part.offset).toBe(seen.length);
          seen.push(...JSON.parse(textOf(part.body)).input);
        }
        expect(seen).toEqual(texts);
      },
    ),
  );
});

test("an embeddings request may have one input or several", () => {
  expect(parseEmbeddingInput({ input: "a" })).toMatchObject({ count: 1, isPlural: false, encoding: "float" });
  expect(parseEmbeddingInput({ input: [1, 2, 3] })).toMatchObject({ count: 1, isPlural: false });
  expect(parseEmbeddingInput({ input: ["a", "b"], encoding_format: "base64" })).toMatchObject({
    count: 2,
    isPlural: true,
    encoding: "base64",
  });
  expect(parseEmbeddingInput({ input: [[1], [2, 3]] })).toMatchObject({ count: 2, isPlural: true });
});

test.each([
  { input: [[1], []] },
  { input: [1.5] },
  { input: [-1] },
  { input: { text: "a" } },
  { input: ["a", 1] },
  { input: [] },
  { input: "" },
  { input: ["a", ""] },
  { messages: [] },
  { input: "a", encoding_format: "hex" },
])("%j cannot be split, so its backend is to judge it", (value) => {
  expect(parseEmbeddingInput(value)).toBeUndefined();
});

test("more inputs than the server can merge are refused with the field's name", () => {
  expect(parseEmbeddingInput({ input: new Array(32_768).fill("a") })?.count).toBe(32_768);
  const fault = faultOf(() => parseEmbeddingInput({ input: new Array(32_769).fill("a") }));
  expect([fault.code, fault.param]).toEqual(["invalid_request", "input"]);
});
