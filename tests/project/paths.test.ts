import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const PAGES = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".github/PULL_REQUEST_TEMPLATE.md"],
  ...[...new Bun.Glob("docs/*.md").scanSync({ cwd: ROOT })].sort(),
];

/** The folders of the repository that documentation refers to. */
const FOLDERS = "src|tests|docs|views|bench|scripts|deploy";

/** Returns the files and folders that `page` names by their path from the top folder, without those with placeholders. */
function pathsIn(page: string): readonly string[] {
  const named = [...page.matchAll(new RegExp(String.raw`(?<![\w./-])(?:${FOLDERS})/[\w./@-]*[\w/]`, "g"))];
  return named.flatMap(({ 0: path, index }) => (/^[<{*…[]/.test(page.slice(index + path.length)) ? [] : [path]));
}

/** Returns the targets of the links in `page` that lead into this repository, each as file and anchor. */
function linksIn(page: string): readonly (readonly [path: string, anchor: string])[] {
  return [...page.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, path = "", anchor = ""]) => [
    path,
    anchor,
  ]);
}

/** Returns the anchors of a page, made of its headings as hosting sites make them. */
function anchorsIn(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const read = (path: string): Promise<string> => Bun.file(join(ROOT, path)).text();

describe.each(PAGES)("%s", (name) => {
  test("names only files and folders that exist", async () => {
    expect(pathsIn(await read(name)).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("links only to pages and headings that exist", async () => {
    const broken: string[] = [];
    for (const [path, anchor] of linksIn(await read(name))) {
      const target = path === "" ? name : normalize(join(dirname(name), path));
      const isThere = existsSync(join(ROOT, target));
      if (!isThere || (anchor !== "" && !anchorsIn(await read(target)).includes(anchor)))
        broken.push(`${path}#${anchor}`);
    }
    expect(broken).toEqual([]);
  });
});

describe("the check of documentation", () => {
  test("reads paths in prose, code and tables, and leaves out patterns", () => {
    const page =
      "See `src/app.ts`, src/wire/ and tests/unit. | `deploy/systemd/a@.service` | `src/plugins/<id>/view.tsx` bun src/main.ts";
    expect(pathsIn(page)).toEqual([
      "src/app.ts",
      "src/wire/",
      "tests/unit",
      "deploy/systemd/a@.service",
      "src/main.ts",
    ]);
  });

  test("reads links with and without a heading, and no links to other sites", () => {
    expect(linksIn("[a](b.md) [c](d.md#e-f) [g](#h) [i](https://example.com/j.md)")).toEqual([
      ["b.md", ""],
      ["d.md", "e-f"],
      ["", "h"],
    ]);
  });

  test("makes anchors as hosting sites do", () => {
    expect(anchorsIn("# A page\n## What can `go` wrong?\n### Fly.io")).toEqual([
      "a-page",
      "what-can-go-wrong",
      "flyio",
    ]);
  });
});
