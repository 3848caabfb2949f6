import { describe, expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { reasonsAgainst, sectionOf } from "../../scripts/release/checks.ts";
import { toSbom } from "../../scripts/release/sbom.ts";
import { productionPackages } from "../../src/packing/lock.ts";

const CHANGELOG =
  "# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.0 – 2026-11-28\n\n- new\n\n### Upgrading\n\n- do this\n\n## 1.1.0 - 2026-11-01\n\n- old\n";
const READY = { version: "1.2.0", changelog: CHANGELOG, status: "", tags: [], isTaggedElsewhere: false };

describe("a release", () => {
  test("may be made from a clean tree whose version the changelog describes", () => {
    expect(reasonsAgainst(READY)).toEqual([]);
    expect(reasonsAgainst({ ...READY, tags: ["v1.2.0", "seen"] })).toEqual([]);
  });

  test.each([
    ["a tree with changes", { status: " M src/app.ts\n?? new.ts\n" }, "2 uncommitted changes"],
    ["a version that the changelog does not name", { version: "1.3.0" }, "no section '## 1.3.0"],
    ["a version without notes for upgrading", { version: "1.1.0" }, "### Upgrading"],
    ["a version that is a word", { version: "next" }, "is no version"],
    ["the tag of another version", { tags: ["v1.1.0"] }, "has the tag v1.1.0"],
    ["a version whose tag another commit has", { isTaggedElsewhere: true }, "belongs to another commit"],
  ])("is refused for %s", (_what, facts, reason) => {
    expect(reasonsAgainst({ ...READY, ...facts })).toContainEqual(expect.stringContaining(reason));
  });

  test("has the section of its version as its notes", () => {
    expect(sectionOf("1.2.0", CHANGELOG)).toBe("- new\n\n### Upgrading\n\n- do this");
    expect(sectionOf("1.2", CHANGELOG)).toBeUndefined();
  });
});

describe("the packages of a release", () => {
  const lock = `{
    "workspaces": { "": { "dependencies": { "a": "1.0.0", "@s/b": "2.0.0" }, "devDependencies": { "dev": "9.0.0" } } },
    "packages": {
      "a": ["a@1.0.0", "", { "dependencies": { "c": "^1" }, "optionalDependencies": { "fits-none": "1" } }, "sha512-AAEC"],
      "@s/b": ["@s/b@2.0.0", "", { "dependencies": { "c": "^2", "a": "1" } }, "sha512-AwQF"],
      "@s/b/c": ["c@2.1.0", "", {}, "sha512-Bgc="],
      "c": ["c@1.5.0", "", {}, "sha512-CAk="],
      "dev": ["dev@9.0.0", "", {}, "sha512-CgsM"],
    },
  }`;

  test("are those that the program needs, in the versions that Node finds", () => {
    const found = productionPackages(lock).map(({ name, version, folder }) => [`${name}@${version}`, folder]);
    expect(found).toEqual([
      ["@s/b@2.0.0", "node_modules/@s/b"],
      ["a@1.0.0", "node_modules/a"],
      ["c@1.5.0", "node_modules/c"],
      ["c@2.1.0", "node_modules/@s/b/node_modules/c"],
    ]);
  });

  test("are all listed in the bill of materials, with hashes and licences", async () => {
    const packages = productionPackages(await Bun.file(new URL("../../bun.lock", import.meta.url)).text());
    const sbom = toSbom({
      name: "moorage",
      version: "1.2.0",
      license: "MIT",
      description: "d",
      packages: packages.map((each) => ({ ...each, license: "MIT OR Apache-2.0" })),
      bun: "1.4.5",
    }) as {
      components: readonly { purl: string; hashes?: readonly { content: string }[]; licenses: readonly object[] }[];
    };
    const purls = sbom.components.map(({ purl }) => purl);
    for (const [name, version] of Object.entries(manifest.dependencies))
      expect(purls).toContain(`pkg:npm/${name.replace("@", "%40")}@${version}`);
    expect(new Set(purls).size).toBe(purls.length);
    const elysia = sbom.components.find(({ purl }) => purl.includes("/elysia@"));
    expect(elysia?.hashes?.[0]?.content).toMatch(/^[0-9a-f]{128}$/);
    expect(elysia?.licenses).toEqual([{ expression: "MIT OR Apache-2.0" }]);
    expect(purls).toContain("pkg:npm/bun@1.4.5");
  });
});
