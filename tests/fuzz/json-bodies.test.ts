import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { isRecord } from "../../src/json/parse.ts";
import { itemsOf, membersOf, type Range } from "../../src/json/scan.ts";
import { withModel } from "../../src/models/named-body.ts";
import { PartCutter, parseEmbeddingInput } from "../../src/plugins/llm/embedding-input.ts";
import { parseLlmRequest } from "../../src/plugins/llm/request.ts";
import { planLegacyCall } from "../../src/plugins/mcp/legacy-plan.ts";
import { rpcError } from "../../src/plugins/mcp/rpc-error.ts";
import { readFacts } from "../../src/plugins/mcp/rpc-facts.ts";
import { hostileText, mutated } from "../support/hostile.ts";
import { jsonDocument, jsonObject, writtenKey } from "../support/json-document.ts";
import { times } from "../support/times.ts";

// JSON bodies are scanned and edited as bytes: the scan finds what JSON.parse finds, and an edit changes nothing else.

const bytesOf = (text: string): Buffer => Buffer.from(text.toWellFormed());
const textOf = (bytes: Uint8Array, { start, end }: Range): string => Buffer.from(bytes.subarray(start, end)).toString();

/** The value, or a unique mark if there is none. */
const NOTHING = Symbol("not JSON");
function strictParse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return NOTHING;
  }
}

/** Compares both as JSON, so that `-0`, order and `__proto__` count too. */
function expectSame(found: unknown, should: unknown): void {
  expect(JSON.stringify(found)).toBe(JSON.stringify(should));
}

const anyDocument = fc.oneof(
  jsonDocument.map(bytesOf),
  jsonDocument.chain((text) => mutated(bytesOf(text))),
  hostileText.map(bytesOf),
);

describe("in any JSON", () => {
  test("the members and items found are those of JSON.parse, byte for byte", () => {
    fc.assert(
      fc.property(jsonDocument, (text) => {
        const bytes = bytesOf(text);
        const value: unknown = JSON.parse(bytes.toString());
        const members = membersOf(bytes);
        expect(members !== undefined).toBe(isRecord(value));
        if (members && isRecord(value)) {
          expect([...members.keys()].sort()).toEqual(Object.keys(value).sort());
          for (const [key, range] of members) {
            const found = textOf(bytes, range);
            expect(found).toBe(found.trim());
            expectSame(JSON.parse(found), value[key]);
          }
        }
        if (!Array.isArray(value)) return;
        const start = bytes.indexOf(0x5b);
        const items = [...itemsOf(bytes, start)].map((range) => range && JSON.parse(textOf(bytes, range)));
        expectSame(items, value);
      }),
      { numRuns: times(3000) },
    );
  });

  test("a request is refused as invalid JSON exactly if JSON.parse refuses it", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyDocument, (bytes) => {
        const value = strictParse(bytes);
        const code = codeOf(() => parseLlmRequest(bytes));
        seen.add(code);
        expect(code === "invalid_json").toBe(value === NOTHING);
        if (code !== "taken" || !isRecord(value)) return;
        expect(value["model"]).toBeString();
      }),
      { numRuns: times(3000) },
    );
    expect(seen.size).toBe(3);
  });
});

const others = fc.array(
  fc.tuple(
    fc.oneof(
      jsonDocument.map((text) => JSON.stringify(text.toWellFormed())),
      writtenKey("model2"),
      writtenKey("__proto__"),
    ),
    jsonDocument,
  ),
  {
    maxLength: 3,
  },
);

/** Objects with such a member, among others and perhaps more than once: the last one counts. */
function objectWith(key: string, value: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const member = fc.tuple(writtenKey(key), value);
  return jsonObject(
    fc
      .tuple(others, member, others, fc.option(member), others)
      .map(([a, first, b, second, c]) => [...a, first, ...b, ...(second ? [second] : []), ...c]),
  ).map(bytesOf);
}

const name = fc.string({ minLength: 1, maxLength: 20 }).map((text) => JSON.stringify(text));

describe("in any request", () => {
  test("renaming the model changes nothing but its name", () => {
    fc.assert(
      fc.property(objectWith("model", name), hostileText, (body, model) => {
        const range = membersOf(body)?.get("model");
        if (!range) throw new Error("no model");
        const edited = Buffer.from(withModel(body, model));
        const value: unknown = JSON.parse(body.toString());
        expect(isRecord(value) && value["model"]).toBe(JSON.parse(textOf(body, range)));
        const now: unknown = JSON.parse(edited.toString());
        expectSame(now, { ...(value as object), model });
        expect(edited.subarray(0, range.start).equals(body.subarray(0, range.start))).toBe(true);
        const rest = body.length - range.end;
        expect(edited.subarray(edited.length - rest).equals(body.subarray(range.end))).toBe(true);
      }),
      { numRuns: times(1500) },
    );
  });

  test("the parts of an embeddings request hold its inputs, in order and as written", () => {
    const tokens = fc
      .array(fc.constantFrom("0", "1.0", "17e0", "9007199254740993"), { minLength: 1, maxLength: 3 })
      .map((each) => `[${each.join(" , ")}]`);
    const gap = fc.constantFrom("", " ", "\n\t");
    const list = fc.tuple(
      fc.oneof(fc.array(name, { minLength: 1, maxLength: 9 }), fc.array(tokens, { minLength: 1, maxLength: 9 })),
      gap,
    );
    fc.assert(
      fc.property(
        objectWith(
          "input",
          list.map(([items, space]) => `[${items.join(`${space},`)}${space}]`),
        ),
        fc.integer({ min: 1, max: 5 }),
        (body, size) => {
          const value: unknown = JSON.parse(body.toString());
          const input = isRecord(value) ? value["input"] : undefined;
          expect(parseEmbeddingInput({ input })).toMatchObject({ isPlural: true });
          const cutter = new PartCutter(body);
          const found: unknown[] = [];
          const written: string[] = [];
          while (!cutter.isEmpty) {
            const part = cutter.next(size);
            if (!part) throw new Error("no part although some are left");
            const parsed: unknown = JSON.parse(Buffer.from(part.body).toString());
            expectSame({ ...(parsed as object), input }, value);
            found.push(...(parsed as { input: unknown[] }).input);
            const range = membersOf(part.body)?.get("input");
            if (range)
              for (const item of itemsOf(part.body, range.start)) if (item) written.push(textOf(part.body, item));
          }
          expectSame(found, input);
          const range = membersOf(body)?.get("input");
          const asWritten = range ? [...itemsOf(body, range.start)].map((item) => item && textOf(body, item)) : [];
          expect(written).toEqual(asWritten as string[]);
        },
      ),
      { numRuns: times(800) },
    );
  });
});

describe("in any call to an MCP server", () => {
  const call = objectWith(
    "id",
    fc.oneof(jsonDocument, fc.constantFrom("007", "-01", "1e5", '"a\\u0000"', "12345678901234567890")),
  );

  test("an error repeats the id as written, and is JSON whatever the body was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(call, call.chain(mutated), anyDocument), async (body) => {
        const { id } = readFacts({ method: "POST", headers: new Headers() }, body);
        const answer = rpcError(new Fault("relay_unavailable"), "r", id);
        const said = (await answer.json()) as { id?: unknown };
        const value = strictParse(body);
        if (!isRecord(value) || id === undefined) return;
        expectSame(said.id, value["id"]);
      }),
      { numRuns: times(2000) },
    );
  });

  test("a legacy relay gets a JSON object, and the answer has the id of the call", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(call, call.chain(mutated), anyDocument), (body) => {
        const plan = planLegacyCall("POST", body);
        const value = strictParse(body);
        seen.add(plan.kind);
        if (plan.kind !== "send") return expect(JSON.parse(plan.body)).toMatchObject({ jsonrpc: "2.0" });
        expect(isRecord(value)).toBe(true);
        if (!isRecord(value) || plan.id === undefined) return;
        expectSame(JSON.parse(plan.id), value["id"]);
      }),
      { numRuns: times(1500) },
    );
    expect(seen.size).toBe(2);
  });

  test("a legacy relay gets the call as written, except for its progress token", () => {
    const params = objectWith("_meta", objectWith("progressToken", jsonDocument).map(String)).map(String);
    const message = fc
      .tuple(fc.oneof(params, jsonDocument), fc.constantFrom('"a"', "12345678901234567890", "-0.0"))
      .map(([given, id]) => bytesOf(`{"method":"tools/call", "params" : ${given},"id":${id}}`));
    fc.assert(
      fc.property(message, (body) => {
        const plan = planLegacyCall("POST", body);
        if (plan.kind !== "send") throw new Error("it is not sent");
        const was = writtenIn(body, "");
        for (const path of [...was.keys()]) if (path.startsWith("/params/_meta/progressToken")) was.delete(path);
        expect(writtenIn(Buffer.from(plan.payload), "")).toEqual(was);
      }),
      { numRuns: times(1500) },
    );
  });
});

function codeOf(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

/**
 * What stands in a call that is looked into, by its place, as it is written: its members, and those of its params and their
 * `_meta`.
 */
function writtenIn(bytes: Uint8Array, path: string, at = 0): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, range] of membersOf(bytes, at) ?? []) {
    const place = `${path}/${key}`;
    const isOpened = place === "/params" || place === "/params/_meta";
    if (!isOpened || bytes[range.start] !== 0x7b) found.set(place, textOf(bytes, range));
    else for (const [inner, text] of writtenIn(bytes, place, range.start)) found.set(inner, text);
  }
  return found;
}
