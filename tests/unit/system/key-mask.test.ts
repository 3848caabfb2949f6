import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createKeyId, createKeyText } from "../../../src/keys/key-text.ts";
import { KeyMask } from "../../../src/system/key-mask.ts";
import { createLog } from "../../../src/system/log.ts";
import "../../support/seed.ts";

const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
const madeKey = (prefix: "mk" | "mj" = "mk"): string => createKeyText(prefix, createKeyId(random), random);
const secretOf = (key: string): string => key.split("_")[2] ?? "";

describe("a mask for keys", () => {
  test("leaves the first characters of a made key, by which people know it", () => {
    const [key, token] = [madeKey(), madeKey("mj")];
    const mask = new KeyMask();
    expect(mask.apply(`worker ${key}`)).toBe(`worker ${key.slice(0, 7)}…`);
    expect(mask.apply(`Bearer ${token}/drain`)).toBe(`Bearer ${token.slice(0, 7)}…/drain`);
    expect(mask.apply(`{"a":"${key}","b":"${token}"}`)).toBe(`{"a":"${key.slice(0, 7)}…","b":"${token.slice(0, 7)}…"}`);
  });

  test("knows a made key that was cut off, or is in upper case", () => {
    const key = madeKey();
    for (let end = 18; end < key.length; end += 1) {
      const masked = new KeyMask().apply(key.slice(0, end));
      expect(masked).toBe(`${key.slice(0, 7)}…`);
    }
    expect(new KeyMask().apply(key.toUpperCase())).not.toContain(secretOf(key).toUpperCase());
  });

  test("leaves ids of keys and all other text as they are", () => {
    const text = "mk_7f3kq2m9x0ab mj_a mk_ task_0123456789ab_text 01JDQ5W6E9V7K2M4 mk_7f3k… [key]";
    expect(new KeyMask().apply(text)).toBe(text);
  });

  test("takes the keys out that it was given, whatever characters they have", () => {
    const text = fc
      .string({ unit: "grapheme-ascii", minLength: 12, maxLength: 40 })
      .filter((key) => !/[\s,]/.test(key));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), fc.string(), (keys, other) => {
        const mask = new KeyMask();
        mask.setKeys(keys);
        for (const key of keys) {
          expect(mask.apply(`${key}`)).toBe("[key]");
          expect(mask.apply(JSON.stringify({ a: `x ${key} y` }))).toBe(`{"a":"x [key] y"}`);
          expect(mask.apply(`${other}\n${key}`)).not.toContain(`\n${key}`);
        }
      }),
    );
  });

  test("knows the keys that it was given last, and none that are too short to be told from words", () => {
    const mask = new KeyMask();
    mask.setKeys(["0123456789abcdef", "info"]);
    expect(mask.apply("info 0123456789abcdef")).toBe("info [key]");
    mask.setKeys(["another-key-of-mine"]);
    expect(mask.apply("0123456789abcdef another-key-of-mine")).toBe("0123456789abcdef [key]");
  });
});

test.each(["json", "pretty"] as const)("a %s log line never has a key, wherever it is in it", (format) => {
  const lines: string[] = [];
  const mask = new KeyMask();
  mask.setKeys(['configured-"key"-1']);
  const log = createLog({ level: "debug", format, now: () => 0, write: (line) => void lines.push(line), mask });
  const key = madeKey();
  log.with({ worker: key }).info("a.happened", { model: `x${key}`, name: `configured-"key"-1`, note: `é${key}` });
  const [line = ""] = lines;
  expect(line).toContain(`${key.slice(0, 7)}…`);
  expect(line).toContain("[key]");
  expect(line).not.toContain(secretOf(key));
  expect(line).not.toContain("configured");
  if (format === "json") expect(() => JSON.parse(line)).not.toThrow();
});
