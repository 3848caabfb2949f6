import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chainOf } from "../../src/affinity/chain.ts";
import type { Chain } from "../../src/affinity/chain-builder.ts";
import { clientKeyOf } from "../../src/affinity/client-key.ts";
import { PromptAffinity, type PromptRequest } from "../../src/affinity/prompt-affinity.ts";
import { responseIdIn } from "../../src/affinity/response-homes.ts";
import { isRecord, parseJson } from "../../src/json/parse.ts";
import { hostileText } from "../support/hostile.ts";
import { jsonDocument } from "../support/json-document.ts";
import { times } from "../support/times.ts";

// Prompts are recognized by hashes of their beginnings: of the same conversation always, of others never, of anything quickly.

const PATHS = ["/chat/completions", "/completions", "/responses", "/messages"] as const;

/** Long enough to be remembered, with whatever characters. */
const words = fc.string({ unit: "binary", minLength: 1, maxLength: 60 }).map((text) => text.repeat(300));
const block = fc.oneof(
  words.map((text) => ({ type: "text", text })),
  words.map((text) => ({ type: "text", text, cache_control: { type: "ephemeral" } })),
  fc.record({ type: fc.constant("tool_use"), id: fc.string(), input: fc.jsonValue() }),
  words.map((content) => ({ type: "tool_result", content })),
);
const message = fc.record(
  {
    role: fc.constantFrom("system", "user", "assistant", "tool"),
    content: fc.oneof(words, fc.array(block, { minLength: 1, maxLength: 3 })),
    tool_calls: fc.jsonValue(),
  },
  { requiredKeys: ["role", "content"] },
);
const conversation = fc.array(message, { minLength: 1, maxLength: 30 });
const head = fc.record(
  { tools: fc.array(fc.jsonValue()), system: fc.oneof(words, fc.array(block)) },
  { requiredKeys: [] },
);

function chain(messages: readonly unknown[], more: object): Chain | undefined {
  // Through JSON, as a request comes.
  const body = parseJson(JSON.stringify({ ...more, messages }));
  return isRecord(body) ? chainOf(body, "/chat/completions", 1n) : undefined;
}

const longestIn = (known: Chain | undefined, of: Chain | undefined): bigint | undefined =>
  of?.hashes.findLast((hash) => known?.hashes.includes(hash));

describe("the chain of any prompt", () => {
  test("a conversation with one more turn always contains the longest hash of the turn before", () => {
    fc.assert(
      fc.property(conversation, message, message, head, (turns, answer, question, more) => {
        const before = chain(turns, more);
        const after = chain([...turns, answer, question], more);
        const longest = before?.hashes.at(-1);
        if (longest === undefined) return;
        expect(after?.hashes).toContain(longest);
      }),
    );
  });

  test("an edit in the middle matches exactly up to the edit", () => {
    fc.assert(
      fc.property(conversation, fc.nat(), words, head, (turns, anywhere, edit, more) => {
        const at = anywhere % turns.length;
        const edited = turns.with(at, { role: "user", content: `edited ${edit}` });
        // The edit may repeat what stood there, or lie where no borders are kept.
        if (turns.length > 16 || JSON.stringify(edited) === JSON.stringify(turns)) return;
        const untouched = chain(turns.slice(0, at), more)?.hashes.at(-1);
        const found = longestIn(chain(turns, more), chain(edited, more));
        if (untouched !== undefined && edit.length < 4000) expect(found).toBe(untouched);
      }),
    );
  });

  test("the order of members, the white space and the escapes of a body do not matter", () => {
    fc.assert(
      fc.property(conversation, head, (messages, more) => {
        const one = chain(messages, more);
        const reversed = Object.fromEntries(Object.entries({ ...more, messages }).reverse());
        const escaped = JSON.stringify(reversed, undefined, 3).replaceAll(
          /[\u0080-\uffff]/g,
          (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
        );
        const body = parseJson(escaped);
        expect(isRecord(body) ? chainOf(body, "/chat/completions", 1n) : undefined).toEqual(one);
      }),
    );
  });

  test("ends grow, lie within the size, and are few", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          jsonDocument,
          conversation.map((messages) => JSON.stringify({ messages })),
        ),
        fc.constantFrom(...PATHS),
        (text, path) => {
          const body = parseJson(text);
          const made = isRecord(body) ? chainOf(body, path, 1n) : undefined;
          if (!made) return;
          expect(made.hashes.length).toBe(made.ends.length);
          expect(made.hashes.length).toBeLessThanOrEqual(44);
          expect(made.ends).toEqual(made.ends.toSorted((a, b) => a - b));
          expect(made.ends.at(-1)).toBeLessThanOrEqual(made.size);
        },
      ),
    );
  });

  test("anything in the place of messages, tools, text or metadata is survived", () => {
    const names = ["messages", "input", "prompt", "tools", "system", "instructions", "metadata", "conversation"];
    const anything = fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.jsonValue({ maxDepth: 6 }), conversation));
    fc.assert(
      fc.property(anything, fc.constantFrom(...PATHS), (body, path) => {
        chainOf(body, path, 1n);
        clientKeyOf(new Headers(), body);
      }),
      { numRuns: times(300) },
    );
  });

  test("hostile bodies cost a bounded number of steps, however they are nested or cut up", () => {
    const nested = (open: string, close: string, depth: number): unknown =>
      parseJson(`${open.repeat(depth)}1${close.repeat(depth)}`);
    const hostile = [
      nested("[", "]", 2000),
      nested('{"a":', "}", 2000),
      Array.from({ length: 300_000 }, () => ({})),
      Array.from({ length: 300_000 }, (_, at) => at),
      Array.from({ length: 300_000 }, () => "x"),
      Object.fromEntries(Array.from({ length: 300_000 }, (_, at) => [`k${at}`, at])),
      [{ role: "user", content: Array.from({ length: 300_000 }, () => ({ type: "text", text: "x" })) }],
      [{ role: "user", content: "x".repeat(30_000_000) }],
    ];
    for (const value of hostile)
      for (const name of ["messages", "input", "tools", "system"])
        chainOf({ [name]: value, prompt: value }, "/messages", 1n);
  });
});

describe("tenants", () => {
  test("a tenant never finds what another one sent, whatever both send", () => {
    const request = fc.record({
      tenant: fc.constantFrom("a", "b", "a\0m", "", "b "),
      caller: fc.constantFrom("api-key:1", "api-key:2"),
      model: fc.constantFrom("m", "\0m", "b"),
      key: fc.constantFrom(undefined, "1", "2"),
      turns: fc.constantFrom(1, 2, 3),
    });
    const toRequest = ({ key, turns, ...who }: { key: string | undefined; turns: number } & Who): PromptRequest => ({
      ...who,
      path: "/chat/completions",
      headers: new Headers(),
      body: {
        prompt_cache_key: key,
        messages: Array.from({ length: turns }, () => ({ role: "user", content: "the same for all ".repeat(30) })),
      },
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), request, (others, own) => {
        const affinity = new PromptAffinity(
          () => 0,
          () => "secret",
        );
        for (const other of others) affinity.of(toRequest(other))?.sent(`${other.tenant}/${other.model}`);
        const warm = affinity.of(toRequest(own))?.candidates(own.model) ?? [];
        for (const { sessionId } of warm) expect(sessionId).toBe(`${own.tenant}/${own.model}`);
      }),
      { numRuns: times(300) },
    );
  });
});

interface Who {
  readonly tenant: string;
  readonly caller: string;
  readonly model: string;
}

describe("the id of a response", () => {
  test("is read from any beginning without an error", () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, jsonDocument, fc.string()), fc.nat(400), (text, cut) => {
        const id = responseIdIn(text.slice(0, cut));
        if (id !== undefined) expect(id.length).toBeLessThanOrEqual(256);
        responseIdIn(`data: {"response": ${text}`);
      }),
      { numRuns: times(300) },
    );
  });
});
