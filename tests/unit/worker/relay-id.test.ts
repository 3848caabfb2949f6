import { expect, test } from "bun:test";
import { isId, MAX_ID_CHARS } from "../../../src/wire/names.ts";
import { mayRegister } from "../../../src/wire/worker-terms.ts";
import { relayIdOf } from "../../../src/worker/relay-id.ts";

test("a relay's id is its worker's with its name", () => {
  expect(relayIdOf("gpu", "my_notes-2")).toBe("gpu.my_notes-2");
});

test("relays with different names have different ids, which the worker's key may register", () => {
  const names = ["a b", "a-b", "a.b", "文件", "网页", "x".repeat(200), `${"x".repeat(199)}y`];
  const ids = names.map((name) => relayIdOf("gpu", name));
  expect(new Set(ids).size).toBe(names.length);
  for (const id of ids) {
    expect(isId(id)).toBe(true);
    expect(id.length).toBeLessThanOrEqual(MAX_ID_CHARS);
    expect(mayRegister({ ids: ["gpu"] }, id)).toBe(true);
  }
});
