import { expect, test } from "bun:test";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** Finds statements that begin with an assertion about a promise, which nobody awaits. Such a test passes whatever comes of the promise. */
function unawaited(source: string): readonly string[] {
  const statements = source.matchAll(/^[ \t]*expect\((?:(?!;\n)[\s\S])*?;\n/gm);
  return [...statements].map(([text]) => text.trim()).filter((text) => /\)\s*\.(?:rejects|resolves)\b/.test(text));
}

test("tests await what they assert about promises", async () => {
  const found: string[] = [];
  for await (const path of new Bun.Glob("tests/**/*.{ts,tsx}").scan(ROOT)) {
    // This file holds samples.
    if (path === "tests/project/awaited.test.ts") continue;
    for (const text of unawaited(await Bun.file(join(ROOT, path)).text())) found.push(`${path}: ${text}`);
  }
  expect(found).toEqual([]);
});

test("an assertion about a promise is found, over several lines as well", () => {
  const lines = [
    "  expect(a).rejects.toThrow();",
    "  await expect(b).rejects.toThrow();",
    "  expect(",
    "    c,",
    "  )",
    "    .resolves.toBe(1);",
  ];
  expect(unawaited(`${lines.join("\n")}\n`)).toEqual([
    "expect(a).rejects.toThrow();",
    "expect(\n    c,\n  )\n    .resolves.toBe(1);",
  ]);
});
