import { expect, test } from "bun:test";
import { cleanLines, cleanText } from "../../../src/wire/clean-text.ts";

test("a text loses controls and what reorders it, however often it is cleaned", () => {
  for (const code of [0x00, 0x09, 0x0a, 0x1f, 0x7f, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069]) {
    const mark = String.fromCharCode(code);
    for (const text of [`a${mark}b`, `${mark}ab`, `ab${mark}${mark}`]) expect(cleanText(text)).toBe("ab");
  }
  for (const kept of ["", "plain", "ümlaut", "\u{1f980} \u00a0\u061b\u200d\u2027\u2065\u206a"])
    expect(cleanText(kept)).toBe(kept);
  expect(cleanText("a\ud800b")).toBe("a\ufffdb");
  expect(cleanText("\udc00\u0000")).toBe("\ufffd");
});

test("a text of several lines keeps its lines and tabs", () => {
  expect(cleanLines("a\r\nb\rc\n\td\u0000\u202e\u001b[0m\ud800")).toBe("a\nb\nc\n\td[0m\ufffd");
  expect(cleanLines("a\r\u202e\nb\u2028c\u000b")).toBe("a\n\nbc");
  expect(cleanLines("a\tb\nc")).toBe("a\tb\nc");
});
