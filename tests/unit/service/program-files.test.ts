import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ProgramFault, placeProgram, programWords, switchProgram } from "../../../src/service/program-files.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => {
  chmodSync(directory.path, 0o755);
  directory.remove();
});

const BUN = { path: process.execPath, version: Bun.version };

/** A package whose program prints its version and the directory of its service. */
async function packageOf(version: string, bun = "1.0.0", more: Record<string, string> = {}) {
  const files = {
    "package/package.json": JSON.stringify({ name: "moorage", version, engines: { bun: `>=${bun}` } }),
    "package/lib/moorage.js": `console.log(${JSON.stringify(version)}, process.env.MOORAGE_SERVICE_DIR, ...process.argv.slice(2));`,
    ...more,
  };
  return { version, tarball: await new Bun.Archive(files, { compress: "gzip" }).bytes() };
}

function start(): string {
  const words = [...programWords(directory.path, Bun.version), "worker", "llm"];
  return Bun.spawnSync(words, { cwd: "/", env: {} }).stdout.toString().trim();
}

describe("the program of a service", () => {
  test("is started by a Bun of its own, and knows its directory", async () => {
    await placeProgram(directory.path, await packageOf("1.0.0"), BUN);
    expect(start()).toBe(`1.0.0 ${directory.path} worker llm`);
  });

  test("is replaced by another version, of which the one before it stays", async () => {
    await placeProgram(directory.path, await packageOf("1.0.0"), BUN);
    for (const version of ["1.1.0", "1.2.0", "1.2.0"]) await switchProgram(directory.path, await packageOf(version));
    expect(start()).toStartWith("1.2.0 ");
    expect(readdirSync(directory.path).filter((name) => /^\d/.test(name))).toEqual(["1.1.0", "1.2.0"]);
  });

  test.each([
    ["needs a newer Bun", () => packageOf("2.0.0", "99.0.0")],
    ["has a file outside of itself", () => packageOf("2.0.0", "1.0.0", { "package/../../escaped": "x" })],
    ["is no archive", () => Promise.resolve({ version: "2.0.0", tarball: new TextEncoder().encode("<html>") })],
    ["has no usable version", async () => ({ ...(await packageOf("2.0.0")), version: "../2.0.0" })],
  ])("stays as it is if a package %s", async (_what, make) => {
    await placeProgram(directory.path, await packageOf("1.0.0"), BUN);
    await expect(switchProgram(directory.path, await make())).rejects.toThrow(ProgramFault);
    expect(start()).toStartWith("1.0.0 ");
    expect(existsSync(join(directory.path, "../escaped"))).toBe(false);
  });
});
