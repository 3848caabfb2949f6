import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { createKeyId, createKeyText, hintOf, keyHash, readKeyText } from "../../../src/keys/key-text.ts";
import "../../support/seed.ts";

test("a key's text has its id, 32 random characters and a check", () => {
  const id = createKeyId(randomBytes);
  expect(id).toMatch(/^[0-9a-z]{12}$/);
  const text = createKeyText("mk", id, randomBytes);
  expect(text).toMatch(new RegExp(`^mk_${id}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$`));
  expect(readKeyText(text)).toEqual({ kind: "key", text: { prefix: "mk", id } });
  expect(readKeyText(createKeyText("mj", id, randomBytes))).toEqual({ kind: "key", text: { prefix: "mj", id } });
});

test("the check is the same in every version", () => {
  const zeros = (count: number): Uint8Array => new Uint8Array(count);
  expect(createKeyText("mk", "7f3kq2m9x0ab", zeros)).toBe(`mk_7f3kq2m9x0ab_${"0".repeat(32)}_08za4U`);
});

test("every single slip in a key, and every swap of two neighbours, is recognised as a typing error", () => {
  const text = createKeyText("mk", createKeyId(randomBytes), randomBytes);
  for (let at = 3; at < text.length; at += 1) {
    const other = text[at] === "a" ? "b" : "a";
    expect(readKeyText(text.slice(0, at) + other + text.slice(at + 1)).kind).toBe("mistyped");
    const swapped = text.slice(0, at - 1) + text[at] + text[at - 1] + text.slice(at + 1);
    if (swapped !== text && at > 3) expect(readKeyText(swapped).kind).toBe("mistyped");
    expect(readKeyText(text.slice(0, at)).kind).toBe("mistyped");
  }
});

test("a text that is no key is never taken for one", () => {
  for (const text of ["", "mk", "sk-proj-abc", "mk-abc", "hunter2"]) expect(readKeyText(text).kind).toBe("other");
  fc.assert(fc.property(fc.string(), (text) => readKeyText(text).kind !== "key"));
  fc.assert(fc.property(fc.string(), (text) => readKeyText(`mk_${text}`).kind === "mistyped"));
});

test("each character is equally probable, whatever bytes the random source draws", () => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  let at = 0;
  const source = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => every[at++ % 256] ?? 0);
  const counts = new Map<string, number>();
  // 12 × 21 × 21 characters: the source has then drawn each byte equally often, and each character took 7 bytes of it.
  for (let ids = 0; ids < 21; ids += 1)
    for (const char of createKeyId(source)) counts.set(char, (counts.get(char) ?? 0) + 1);
  expect(new Set(counts.values())).toEqual(new Set([7]));
});

test("a hint shows four characters of the id and nothing of the secret", () => {
  expect(hintOf({ prefix: "mk", id: "7f3kq2m9x0ab" })).toBe("mk_7f3k…");
});

test("the hash of a text is its SHA-256 in hex", () => {
  expect(keyHash("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
