import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** A newcomer should see the whole of `src` at a glance: files beyond these belong into a folder. */
const MOST_FILES_AT_THE_ROOT = 8;

test("the root of src holds a few files, and each other file has a folder that says what it may import", () => {
  const files = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeLessThanOrEqual(MOST_FILES_AT_THE_ROOT);
});

/** A file of more lines has more than one idea. */
const MOST_LINES = 300;
/** Files that are longer until somebody finds their second idea. No other one may join them. */
const LONGER: ReadonlySet<string> = new Set(["src/pool/directory.ts"]);
const MOST_LINES_THERE = 330;

test("no file of src and views is too long to be read at once", () => {
  const long = [...new Bun.Glob("{src,views}/**/*.{ts,tsx}").scanSync({ cwd: ROOT })]
    .map((path) => ({ path, lines: readFileSync(join(ROOT, path), "utf8").split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > (LONGER.has(path) ? MOST_LINES_THERE : MOST_LINES));
  expect(long).toEqual([]);
});

test("every folder of src has its own import rule or a rule that names it", async () => {
  const rules = await Bun.file(join(ROOT, ".dependency-cruiser.cjs")).text();
  const folders = readdirSync(join(ROOT, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(folders.filter((name) => !new RegExp(`\\b${name}\\b`).test(rules))).toEqual([]);
});

test("unit tests lie in the folders that their subjects have in src or views", () => {
  const folders = [...new Bun.Glob("**/*.test.{ts,tsx}").scanSync({ cwd: join(ROOT, "tests/unit") })]
    .map((path) => path.slice(0, Math.max(0, path.lastIndexOf("/"))))
    .filter((folder) => folder !== "");
  expect(folders.length).toBeGreaterThan(50);
  const strays = folders.filter((folder) => !existsSync(join(ROOT, "src", folder)) && !existsSync(join(ROOT, folder)));
  expect(strays).toEqual([]);
});
