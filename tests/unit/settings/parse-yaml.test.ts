import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseYaml } from "../../../src/settings/parse-yaml.ts";
import "../../support/seed.ts";

function reason(text: string): string {
  const parsed = parseYaml(text);
  return parsed.ok ? "" : parsed.reason;
}

describe("the line of a mistake", () => {
  test.each([
    ["a: 1\nb: 2\n\tc: 3\nd: 4\n", "line 3"],
    ["a: 1\nb: c: d\ne: 2\n", "line 2"],
    ["a:\r\n  - b: 1\r\n   c: 2\r\n", "line 3"],
    // A list or a text that is never closed begins there.
    ["a: 1\nb: [1,\n  2\nc: 3\n", "line 2"],
    ["a: 1\nb: 'text\nc: 3\n", "line 2"],
    // One that is closed may have several lines.
    ["a: [\n  1,\n  2,\n]\nb: {\n  c: 1\n}\nd: e: f\n", "line 8"],
    ["a: *nowhere\n", "line 1"],
  ])("in %j is named", (text, line) => {
    expect(reason(text)).toEndWith(` in ${line}`);
  });

  test("is that of the only wrong line, wherever it is", () => {
    const good = fc.constantFrom("a: 1", "b:\n  - c\n  - d: 2", "e: [\n 1,\n 2\n]", "# words", "", "f: 'x\n  y'");
    fc.assert(
      fc.property(fc.array(good), fc.array(good), (before, after) => {
        const lines = before.join("\n").split("\n").length;
        const text = [...before, "bad: worse: worst", ...after].join("\n");
        expect(reason(text)).toEndWith(` in line ${before.length === 0 ? 1 : lines + 1}`);
      }),
    );
  });

  test("is not looked for in a text that would take long to parse again and again", () => {
    expect(reason(`${"- a\n".repeat(600_000)}b: c: d`)).toBe("Unexpected token");
  });
});
