import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import { testNames } from "../support/test-names.ts";

const ROOT = join(import.meta.dir, "../..");
const PAGES = ["docs/faults.md", "docs/security.md"];

/** A row's mention of a test: its file, and the title of a test or block in it. */
interface Mention {
  readonly row: string;
  readonly file: string;
  readonly title: string;
}

/** The mentions in the last column of the page's tables, written as `file`: title, and parted by semicolons. */
function mentionsIn(page: string): Mention[] {
  const rows = page.split("\n").filter((line) => line.startsWith("| ") && line.includes("`tests/"));
  return rows.flatMap((row) => {
    const cell = row.replace(/ *\|$/, "").split(" | ").at(-1) ?? "";
    return cell.split(/ ?; (?=`)/).flatMap((part) => {
      const [, file, title = ""] = /^`(tests\/[^`]+)`:?(.*)$/.exec(part.trim()) ?? [];
      return file === undefined ? [] : [{ row, file, title: title.trim() }];
    });
  });
}

/** The mentions that name no test: whose file is missing, whose title is empty, or which the file does not have. */
async function unkept(page: string, read: (file: string) => Promise<string>): Promise<Mention[]> {
  const mentions = mentionsIn(page);
  const kept = await Promise.all(
    mentions.map(({ file, title }) =>
      read(file).then(
        (source) => testNames(source).has(title),
        () => false,
      ),
    ),
  );
  return mentions.filter((_mention, at) => !kept[at]);
}

const readFile = (file: string): Promise<string> => Bun.file(join(ROOT, file)).text();

test.each(PAGES)("each promise in %s names a test that exists", async (path) => {
  const page = await readFile(path);
  expect(mentionsIn(page).length).toBeGreaterThan(10);
  expect(await unkept(page, readFile)).toEqual([]);
});

test.each(PAGES)("each row in %s that mentions a test file is read", async (path) => {
  const page = await readFile(path);
  const files = [...page.matchAll(/`tests\/[^`]+\.test\.tsx?`/g)];
  expect(mentionsIn(page).length).toBe(files.length);
});

describe("a promise", () => {
  const source = `
    // A comment about a job that is not lost.
    const text = "a job that is only mentioned";
    describe("a worker", () => {
      test("is taken back", () => {});
      test.each(["a", "b"])("answers %s", (text) => {});
      describe.skipIf(true)(\`on \${system}\`, () => { test('is "named"', () => {}); });
    });`;
  const read = async (file: string): Promise<string> => {
    if (file !== "tests/a.test.ts") throw new Error("no such file");
    return source;
  };
  const namesNoTest = async (mention: string): Promise<boolean> =>
    (await unkept(`| danger | promise | ${mention} |`, read)).length > 0;

  test.each([
    "a worker",
    "is taken back",
    "answers %s",
    "a worker > is taken back",
    'a worker > on … > is "named"',
    'on … > is "named"',
  ])("names a test by %j", async (title) => {
    expect(await namesNoTest(`\`tests/a.test.ts\`: ${title}`)).toBe(false);
  });

  test.each([
    "",
    "is taken",
    "is never taken back",
    "a job that is not lost",
    "a job that is only mentioned",
    "is taken back > a worker",
  ])("names no test by %j", async (title) => {
    expect(await namesNoTest(`\`tests/a.test.ts\`: ${title}`)).toBe(true);
    expect(await namesNoTest(`\`tests/a.test.ts\`: is taken back; \`tests/a.test.ts\`: ${title}`)).toBe(true);
  });

  test("names no test by a file alone, nor by a file that does not exist", async () => {
    expect(await namesNoTest("`tests/a.test.ts`")).toBe(true);
    expect(await namesNoTest("`tests/b.test.ts`: is taken back")).toBe(true);
  });
});

test("the limits that docs/security.md calls on by default are settings", async () => {
  const known: readonly string[] = Object.values(serverTable(KNOWN_PLUGINS)).map(({ variable }) => variable);
  const page = await readFile("docs/security.md");
  const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name = ""]) => name);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});
