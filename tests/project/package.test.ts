import { beforeAll, describe, expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { packageTarball, TARBALL_NAME } from "../../src/packing/tarball.ts";
import { BUN_VERSION } from "../../src/system/launcher.ts";
import { bundleFlags, ownCommand } from "../../src/system/own-program.ts";

const read = (path: string): Promise<string> => Bun.file(new URL(`../../${path}`, import.meta.url)).text();

interface Manifest {
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

/** Bundling takes a second, and many times that on a busy machine. */
const BUNDLING_MS = 60_000;

describe("the npm package", () => {
  let files = new Map<string, File>();
  let packed: Manifest;
  const text = async (path: string): Promise<string> => (await files.get(`package/${path}`)?.text()) ?? "";

  beforeAll(async () => {
    const { name, bytes } = await packageTarball();
    expect(name).toBe(TARBALL_NAME);
    files = await new Bun.Archive(bytes).files();
    packed = JSON.parse(await text("package.json")) as Manifest; // The file that this project writes.
  }, BUNDLING_MS);

  test("has the version, the licence and the program that docs/releasing.md names", async () => {
    const { name, version, license } = manifest;
    expect(packed).toMatchObject({
      name,
      version,
      license,
      bin: { moorage: "bin/moorage.js" },
      engines: { node: ">=18" },
    });
    for (const path of ["README.md", "LICENSE", "CHANGELOG.md"]) expect(await text(path)).toBe(await read(path));
    const docs = await read("docs/releasing.md");
    for (const path of ["bin/moorage.js", "lib/moorage.js"]) {
      expect(files.has(`package/${path}`)).toBe(true);
      expect(docs).toContain(`\`${path}\``);
    }
  });

  test("brings Bun in the version of this project, and no other package or script", () => {
    const { optionalDependencies } = packed;
    expect(Object.keys(optionalDependencies).every((name) => name.startsWith("@oven/bun-"))).toBe(true);
    expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([BUN_VERSION]));
    for (const key of ["dependencies", "devDependencies", "scripts", "private"]) expect(packed[key]).toBeUndefined();
  });

  test("contains code, pages and nothing of tests, secrets or this machine", async () => {
    const allowed =
      /^package\/(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|THIRD-PARTY\.txt|bin\/moorage\.js|lib\/(?:[\w.-]+\.(?:js|toml)|client\/[\w.-]+|vendor\/[\w.-]+))$/;
    expect([...files.keys()].filter((path) => !allowed.test(path))).toEqual([]);
    const { cwd = "" } = ownCommand();
    for (const [path, file] of files) {
      const isBundle = path.startsWith("package/lib/") && path.endsWith(".js");
      if (isBundle) expect({ path, hasPath: (await file.text()).includes(cwd) }).toEqual({ path, hasPath: false });
    }
  });

  test("contains the licences of the packages that are bundled", async () => {
    const notices = await text("THIRD-PARTY.txt");
    for (const name of Object.keys(manifest.dependencies)) expect(notices).toContain(`\n${name} `);
    expect(notices).toContain("Permission is hereby granted");
  });

  test("starts Bun as the program starts itself, without files of the current directory", async () => {
    const launcher = await text("bin/moorage.js");
    for (const flag of bundleFlags("").map((each) => each.split("=")[0] ?? "")) expect(launcher).toContain(flag);
    expect(launcher).toContain('BUN_CONFIG_MAX_HTTP_REQUESTS ?? "65336"');
    expect(launcher).toStartWith("#!/usr/bin/env node\n");
  });

  test(
    "is the same each time it is made",
    async () => {
      const [once, again] = [await packageTarball(), await packageTarball()];
      expect(again.bytes).toEqual(once.bytes);
    },
    BUNDLING_MS,
  );
});
