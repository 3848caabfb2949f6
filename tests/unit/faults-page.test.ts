import { expect, test } from "bun:test";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

test("each fault on the page names a test that is there", async () => {
  const page = await Bun.file(join(ROOT, "docs/faults.md")).text();
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
    .slice(1);
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const named = [...row.matchAll(/`(tests\/[\w./-]+\.test\.ts)`: ?([^|;]*)/g)];
    expect(named.length, row).toBeGreaterThan(0);
    for (const [, path = "", title = ""] of named) {
      const source = await Bun.file(join(ROOT, path)).text();
      expect(source).toContain(title.trim());
    }
  }
});
