import { expect, test } from "bun:test";
import { fieldsOf, TERM_FLAGS } from "../../../src/cli/key-fields.ts";
import { keyFieldsText } from "../../../src/cli/key-output.ts";
import { readKeyPatch, readKeySpec } from "../../../src/keys/key-spec.ts";

const NOW = Date.UTC(2026, 10, 27);
const fields = (flags: Readonly<Record<string, string | readonly string[]>>, isPatch = false): object =>
  fieldsOf(new Map(Object.entries(flags).map(([name, value]) => [name, [value].flat()])), isPatch, NOW);

test("flags become the fields of a request", () => {
  expect(
    fields({ models: ["qwen*", "a, b"], weight: "2.5", parallel: "4", "tokens-per-day": "2M", class: "background" }),
  ).toEqual({
    models: ["qwen*", "a", "b"],
    weight: 2.5,
    class: "background",
    limits: { parallel: "4", tokens_per_day: "2M" },
  });
  expect(fields({ json: "true", server: "http://x" })).toEqual({});
});

test("--expires-in counts from now", () => {
  expect(fields({ "expires-in": "90d" })).toEqual({ expires_at: "2027-02-25T00:00:00.000Z" });
  expect(() => fields({ "expires-in": "soon" })).toThrow("must be a duration");
});

test("none takes a field away in a change, and is a value otherwise", () => {
  expect(fields({ models: "none", "tokens-per-day": "none" }, true)).toEqual({
    models: null,
    limits: { tokens_per_day: null },
  });
  expect(fields({ tenant: "none" })).toEqual({ tenant: "none" });
});

test("nothing is an empty list of what a key may do at relays, and none is refused where it would be a pattern", () => {
  const flags = ["mcp-relays", "mcp-tools", "mcp-prompts", "mcp-resources"];
  for (const flag of flags) {
    const name = flag.replace("mcp-", "");
    for (const isPatch of [false, true]) {
      expect(fields({ [flag]: "nothing" }, isPatch)).toEqual({ mcp: { [name]: [] } });
      expect(() => fields({ [flag]: "nothing,read_*" }, isPatch)).toThrow("either nothing or patterns");
      expect(() => fields({ [flag]: "none,read_*" }, isPatch)).toThrow("use nothing for an empty list");
    }
    expect(() => fields({ [flag]: "none" })).toThrow(`--${flag} takes no pattern none: use nothing`);
    expect(fields({ [flag]: "none" }, true)).toEqual({ mcp: { [name]: null } });
  }
});

test("what is printed for an empty list is the word that makes one", () => {
  const shown = keyFieldsText({ mcp: { tools: [] } });
  const word = /mcp tools\s+(\S+)/.exec(shown)?.[1] ?? "";
  expect(fields({ "mcp-tools": word }, true)).toEqual({ mcp: { tools: [] } });
});

test("every flag is a field that the server knows", () => {
  const examples: Readonly<Record<string, string>> = {
    class: "normal",
    prefer: "own",
    timezone: "Europe/Berlin",
    "on-limit": "wait",
    "expires-at": "2027-01-31T00:00:00Z",
    "expires-in": "1d",
  };
  for (const flag of Object.keys(TERM_FLAGS)) {
    const kind = ["tenants", "max-slots"].includes(flag) ? "worker" : "client";
    const body = fields({ [flag]: examples[flag] ?? "1" });
    expect({ flag, ...readKeySpec({ name: "n", kind, ...body }) }).toMatchObject({ flag, ok: true });
    expect({ flag, ...readKeyPatch(fields({ [flag]: "none" }, true), kind) }).toMatchObject({ flag, ok: true });
  }
});
