import { describe, expect, test } from "bun:test";
import { chainOf } from "../../../src/affinity/chain.ts";
import type { Chain } from "../../../src/affinity/chain-builder.ts";

const CHAT = "/chat/completions";
const SEED = 77n;
const text = (name: string, chars = 400): string => `${name} `.repeat(Math.ceil(chars / (name.length + 1)));
const user = (name: string, chars?: number): object => ({ role: "user", content: text(name, chars) });
const assistant = (name: string): object => ({ role: "assistant", content: text(name) });

function chat(messages: readonly unknown[], more: object = {}, path = CHAT): Chain {
  const chain = chainOf({ model: "m", messages, ...more }, path, SEED);
  if (!chain) throw new Error("no chain");
  return chain;
}

/** The longest beginning of `of` that `known` has too, as a part of the whole. */
function shared(known: Chain, of: Chain): number {
  const hashes = new Set(known.hashes);
  const at = of.hashes.findLastIndex((hash) => hashes.has(hash));
  return at < 0 ? 0 : (of.ends[at] ?? 0) / of.size;
}

describe("the chain of a prompt", () => {
  const first = chat([user("one")]);

  test("a conversation with one more turn has the hashes of the turn before", () => {
    const second = chat([user("one"), assistant("two"), user("three")]);
    expect(shared(first, second)).toBeCloseTo(1 / 3, 1);
    const third = chat([user("one"), assistant("two"), user("three"), assistant("four"), user("five")]);
    expect(shared(second, third)).toBeCloseTo(3 / 5, 1);
  });

  test("another conversation has none of them", () => {
    expect(shared(first, chat([user("other"), assistant("two")]))).toBe(0);
  });

  test("a turn that is edited or generated again matches up to the edit", () => {
    const turns = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")];
    const edited = [user("a"), assistant("b"), user("c"), assistant("other"), user("e")];
    expect(shared(chat(turns), chat(edited))).toBeCloseTo(3 / 5, 1);
    expect(shared(chat(turns), chat(turns.slice(0, 3)))).toBe(1);
  });

  test("a long conversation keeps its first and its last borders", () => {
    const turns = Array.from({ length: 300 }, (_, at) => (at % 2 ? assistant(`a${at}`) : user(`u${at}`)));
    const long = chat(turns);
    expect(long.hashes.length).toBe(20);
    expect(shared(long, chat([...turns, assistant("x"), user("y")]))).toBeGreaterThan(0.99);
    expect(shared(long, chat([...turns.slice(0, 2), user("z")]))).toBeCloseTo(2 / 3, 1);
  });

  test("other tools, another system prompt and another seed share nothing", () => {
    const tools = [{ type: "function", function: { name: text("f") } }];
    const with1 = chat([user("one")], { tools });
    expect(shared(first, with1)).toBe(0);
    const anthropic = { system: text("system one"), tools };
    const other = { system: text("system two"), tools };
    const one = chat([user("one")], anthropic, "/messages");
    expect(shared(one, chat([user("one")], other, "/messages"))).toBeLessThan(0.5);
    const elsewhere = chainOf({ messages: [user("one")] }, CHAT, SEED + 1n);
    expect(elsewhere?.hashes.some((hash) => first.hashes.includes(hash))).toBe(false);
  });

  test("requests with different cache salts share nothing, because their backend's cache keeps them apart", () => {
    const salted = chat([user("one")], { cache_salt: "a" });
    expect(shared(salted, chat([user("one"), user("two")], { cache_salt: "a" }))).toBeCloseTo(0.5, 1);
    expect(shared(salted, chat([user("one")], { cache_salt: "b" }))).toBe(0);
    expect(shared(salted, first)).toBe(0);
  });

  test("the order of the members in the body does not matter", () => {
    const tools = [{ name: text("tool") }];
    const messages = [user("one")];
    const forward = chainOf({ tools, system: text("s"), messages }, "/messages", SEED);
    const backward = chainOf({ messages, system: text("s"), tools }, "/messages", SEED);
    expect(forward).toEqual(backward);
  });

  test("content in blocks is the content that is written as a text", () => {
    const blocks = { role: "user", content: [{ type: "text", text: text("one") }] };
    expect(chat([blocks]).hashes).toEqual(first.hashes);
  });

  test("a cache mark that moves on changes nothing", () => {
    const mark = { cache_control: { type: "ephemeral", ttl: "1h" } };
    const marked = { role: "user", content: [{ type: "text", text: text("one"), ...mark }] };
    const result = { type: "tool_result", tool_use_id: "t", content: text("result") };
    const before = chat([marked, assistant("two"), { role: "user", content: [{ ...result, ...mark }] }]);
    const after = chat([user("one"), assistant("two"), { role: "user", content: [result] }, assistant("x"), user("y")]);
    expect(shared(before, after)).toBeGreaterThan(0.55);
  });

  test("the changing billing line of Claude Code changes nothing, as a block or as the first line of a text", () => {
    const line = (cch: string): string =>
      `x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=${cch};`;
    const blocks = (cch: string): Chain =>
      chat(
        [user("one")],
        {
          system: [
            { type: "text", text: line(cch) },
            { type: "text", text: text("You are Claude Code") },
          ],
        },
        "/messages",
      );
    expect(blocks("36ee5")).toEqual(blocks("0aaa9"));
    const lines = (cch: string): Chain =>
      chat([{ role: "system", content: `${line(cch)}\n\n${text("You are Claude Code")}` }, user("one")]);
    expect(lines("36ee5").hashes).toEqual(lines("0aaa9").hashes);
    const instructions = (cch: string): Chain | undefined =>
      chainOf({ instructions: `${line(cch)}\n${text("You are")}`, input: "hi" }, "/responses", SEED);
    expect(instructions("36ee5")?.hashes).toEqual(instructions("0aaa9")?.hashes);
    expect(instructions("36ee5")?.hashes.length).toBeGreaterThan(0);
  });

  test("two questions about one document share the document, although each is one message with it", () => {
    const document = text("document", 40_000);
    const ask = (question: string): Chain => chat([{ role: "user", content: `${document}\n\n${question}` }]);
    expect(shared(ask("Who wrote it?"), ask("What is it about?"))).toBeGreaterThan(0.8);
  });

  test("a text that grows shares its beginning, in powers of two", () => {
    const long = text("once upon a time", 100_000);
    const prompt = (chars: number): Chain => {
      const chain = chainOf({ prompt: long.slice(0, chars) }, "/completions", SEED);
      if (!chain) throw new Error("no chain");
      return chain;
    };
    expect(shared(prompt(60_000), prompt(70_000))).toBeCloseTo(32_768 / 70_000, 2);
    expect(prompt(100_000).hashes.length).toBe(7);
    const input = chainOf({ input: long.slice(0, 60_000) }, "/responses", SEED);
    expect(input?.hashes).toEqual(prompt(60_000).hashes);
  });

  test("a prompt of token ids has borders too", () => {
    const ids = Array.from({ length: 3000 }, (_, at) => (at * 7919) % 50_000);
    const one = chainOf({ prompt: ids }, "/completions", SEED);
    const other = chainOf({ prompt: [[...ids.slice(0, 2500), 1, 2, 3]] }, "/completions", SEED);
    if (!one || !other) throw new Error("no chain");
    expect(shared(one, other)).toBeGreaterThan(0.8);
  });

  test("the items of the Responses API are messages", () => {
    const items = [user("one"), { type: "function_call", name: "f", arguments: text("{}") }];
    const one = chainOf({ instructions: text("be kind"), input: items.slice(0, 1) }, "/responses", SEED);
    const two = chainOf({ instructions: text("be kind"), input: items }, "/responses", SEED);
    if (!one || !two) throw new Error("no chain");
    expect(shared(one, two)).toBeGreaterThan(0.6);
  });

  test("an image counts for as much as its tokens, not for its data", () => {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(2_000_000)}` } };
    const chain = chat([{ role: "user", content: [image] }, user("what is it?", 4000)]);
    expect(chain.size).toBeLessThan(10_000);
  });

  test("short prompts and other paths have no chain", () => {
    expect(chainOf({ messages: [{ role: "user", content: "hi" }] }, CHAT, SEED)).toBeUndefined();
    expect(chainOf({ input: text("embed me", 9000) }, "/embeddings", SEED)).toBeUndefined();
    expect(chainOf({ messages: [user("count me")] }, "/messages/count_tokens", SEED)).toBeUndefined();
    expect(chainOf({ model: "m" }, CHAT, SEED)).toBeUndefined();
  });

  test("a prompt of many thousand parts is looked at up to a limit, and still matches up to there", () => {
    const many = Array.from({ length: 9000 }, (_, at) => user(`u${at}`, 10));
    const chain = chat(many);
    expect(chain.hashes.length).toBe(20);
    expect(shared(chain, chat([...many, user("more", 10)]))).toBeGreaterThan(0.4);
    const deep = JSON.parse(`[${"[".repeat(5000)}${"]".repeat(5000)}]`) as unknown; // Nesting is all that matters here.
    expect(chat([user("one"), { role: "user", content: deep }]).hashes[0]).toBe(first.hashes[0]);
    const wide = Array.from({ length: 50_000 }, () => ({}));
    expect(chat([user("one"), { role: "user", wide }, user("two")]).hashes).toEqual(first.hashes);
  });
});
