import { describe, expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { closingLine, readTally } from "../../scripts/run-tests.ts";
import { parseDuration } from "../../src/settings/units.ts";
import programs from "../real/npm/package.json" with { type: "json" };

const read = (path: string): Promise<string> => Bun.file(new URL(`../../${path}`, import.meta.url)).text();

const dependencies: Readonly<Record<string, string>> = { ...manifest.dependencies, ...manifest.devDependencies };

const EXACT = /^\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?$/;

describe("packages", () => {
  test("each is pinned to one version and listed with it in docs/dependencies.md", async () => {
    const docs = await read("docs/dependencies.md");
    const entries = Object.entries(dependencies);
    expect(entries.filter(([, version]) => !EXACT.test(version))).toEqual([]);
    expect(entries.filter(([name, version]) => !docs.includes(`| \`${name}\` | ${version} |`))).toEqual([]);
  });

  test("docs/dependencies.md lists nothing that package.json does not name", async () => {
    const listed = [...(await read("docs/dependencies.md")).matchAll(/^\| `([^`]+)` \| \d/gm)].map(([, name]) => name);
    expect(listed.toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });

  test("bun.lock names no address, so it installs from whichever registry a machine uses", async () => {
    const lock = await read("bun.lock");
    expect(lock).toContain("elysia@");
    expect(lock).not.toContain("://");
  });

  test("bun.lock holds a build of the formatter for each platform that people work on", async () => {
    const lock = await read("bun.lock");
    const builds = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "linux-x64-musl", "win32-x64"];
    expect(builds.filter((build) => !lock.includes(`"@biomejs/cli-${build}@`))).toEqual([]);
  });

  test("Bun is what runs the project, not one of its packages", () => {
    expect(Object.keys(dependencies)).not.toContain("bun");
  });
});

// .ci/run excuses every failure to install these, so nothing else notices a lock file that does not fit.
describe("programs of the tests from npm", () => {
  const pins = Object.entries(programs.dependencies);

  test("each is pinned to one version, and bun.lock holds that version", async () => {
    const lock = await read("tests/real/npm/bun.lock");
    expect(pins.filter(([, version]) => !EXACT.test(version))).toEqual([]);
    const pinned = pins.filter(([name, version]) => lock.includes(`"${name}": "${version}",`));
    expect(pinned).toEqual(pins);
    const resolved = pins.filter(([name, version]) => lock.includes(`"${name}": ["${name}@${version}",`));
    expect(resolved).toEqual(pins);
    expect(lock).not.toContain("://");
  });

  test("docs/dependencies.md has a row for each and lists no other", async () => {
    const [, section = ""] = (await read("docs/dependencies.md")).split("## Programs of the tests from npm");
    const rows = section.split("\n## ")[0]?.matchAll(/^\| (@?[^ |]+) \| (\d\S*) \| \S/gm) ?? [];
    expect(Array.from(rows, ([, name, version]) => [name, version])).toEqual(pins);
  });
});

describe("commands", () => {
  const scripts: Readonly<Record<string, string>> = manifest.scripts;
  const commands = Object.keys(scripts).filter((name) => !/^(?:pre|post)/.test(name));

  test.each(commands)("'%s' installs what is missing before it runs", (name) => {
    const isProgram = ["moorage", "start", "worker", "doctor", "demo"].includes(name);
    expect(scripts[`pre${name}`]).toBe(`bun scripts/install.ts${isProgram ? " --production" : ""}`);
  });

  test("CI runs the check command with the Bun that the image, the types and package.json name", async () => {
    const version = manifest.devDependencies["bun-types"];
    expect(await read(".ci/run")).toContain(`npx -y bun@${version} run check`);
    expect(await read("Dockerfile")).toContain(`FROM oven/bun:${version}`);
    expect(manifest.engines.bun).toBe(`>=${version}`);
  });

  test("the drain on Fly.io ends before Fly.io ends the process", async () => {
    const fly = Bun.TOML.parse(await read("fly.toml")) as { kill_timeout: number; env: Record<string, string> }; // Its own shape, above.
    const drainMs = parseDuration(fly.env["DRAIN_TIMEOUT"] ?? "");
    expect(drainMs).toBeGreaterThan(0);
    expect(drainMs).toBeLessThan(fly.kill_timeout * 1000);
  });
});

describe("the closing line of a test run", () => {
  const summary = (lines: string): string =>
    `tests/a.test.ts:\n(pass) it has 3 pass\n\n${lines}\n 7 expect() calls\nRan 3 tests across 1 file. [3.00ms]\n`;

  test("counts passed, failed and skipped tests", () => {
    expect(readTally(summary(" 12 pass\n 2 skip\n 1 todo\n 3 fail"))).toEqual({ passed: 12, failed: 3, skipped: 3 });
    expect(closingLine({ passed: 12, failed: 3, skipped: 3 })).toBe("12 passed, 3 failed, 3 skipped");
    expect(closingLine({ passed: 1, failed: 0, skipped: 0 })).toBe("1 passed, 0 failed");
  });

  test("counts a file that cannot be loaded once, although Bun reports it as 1 fail and 1 error", () => {
    expect(readTally(summary(" 4 pass\n 1 fail\n 1 error"))).toEqual({ passed: 4, failed: 1, skipped: 0 });
    expect(readTally(summary(" 4 pass\n 0 fail\n 2 errors"))).toEqual({ passed: 4, failed: 2, skipped: 0 });
  });

  test("is undefined for a run that stopped before its summary", () => {
    expect(readTally("tests/a.test.ts:\n(pass) one\n 3 pass\n")).toBeUndefined();
  });

  test("is read despite colours, from the last count if a test printed one too", () => {
    expect(readTally(` 9 pass\n${summary("\u001b[0m\u001b[32m 5 pass\u001b[0m\n\u001b[31m 1 fail\u001b[0m")}`)).toEqual(
      { passed: 5, failed: 1, skipped: 0 },
    );
  });
});
