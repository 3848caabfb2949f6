import { expect, test } from "bun:test";
import { join } from "node:path";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { serverTable } from "../../src/settings/server-table.ts";

const ROOT = join(import.meta.dir, "../..");
/** `path`: words of a test's name, or nothing where the whole file holds it. */
const NAMED = /`(tests\/[\w./-]+\.test\.ts)`: ?([^|;`]*)/g;

test.each(["docs/faults.md", "docs/security.md"])("each promise in %s names a test that is there", async (path) => {
  const page = await Bun.file(join(ROOT, path)).text();
  const rows = page.split("\n").filter((line) => line.includes("tests/") && line.startsWith("| "));
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const named = [...row.matchAll(NAMED)];
    expect(named.length, row).toBeGreaterThan(0);
    for (const [, file = "", title = ""] of named)
      expect(await Bun.file(join(ROOT, file)).text()).toContain(title.trim());
  }
});

test("the limits that the page says are on by default are settings", async () => {
  const known: readonly string[] = Object.values(serverTable(KNOWN_PLUGINS)).map(({ variable }) => variable);
  const page = await Bun.file(join(ROOT, "docs/security.md")).text();
  const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name = ""]) => name);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});
