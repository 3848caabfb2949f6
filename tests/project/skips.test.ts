import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSkips, readTally, type Tally } from "../../scripts/run-tests.ts";
import { type Need, PROGRAMS } from "../support/lacks.ts";

const ROOT = join(import.meta.dir, "../..");

test("a test is skipped only where the machine lacks something, which is named", async () => {
  const bare: string[] = [];
  for (const path of new Bun.Glob("tests/**/*.test.{ts,tsx}").scanSync(ROOT)) {
    const source = await Bun.file(join(ROOT, path)).text();
    const calls = source.match(/\b(?:test|describe)\.(?:skip|todo|if|skipIf|todoIf)\b.{0,8}/g) ?? [];
    for (const call of calls) if (!call.includes(".skipIf(lacks(")) bare.push(`${path}: ${call}`);
  }
  // This file and that of the promises hold samples.
  expect(bare.filter((each) => !/^tests\/project\/(?:skips|promises)\./.test(each))).toEqual([]);
});

test("CI installs the packages of all programs that tests start", async () => {
  const script = await Bun.file(join(ROOT, ".ci/run")).text();
  const installed = /^packages=\((.*)\)$/m.exec(script)?.[1]?.split(" ") ?? [];
  const needs: readonly Need[] = Object.values(PROGRAMS);
  const wanted = new Set<string>(
    needs.flatMap(({ package: from, mayLack }) => (mayLack === undefined ? (from ?? []) : [])),
  );
  expect(installed.toSorted()).toEqual([...wanted].toSorted());
});

describe("a group of tests whose program is missing", () => {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "moorage-skips-"));
    await Bun.write(
      join(folder, "sample.test.ts"),
      `import { describe, expect, test } from "bun:test";
       import { lacks, PROGRAMS } from ${JSON.stringify(join(ROOT, "tests/support/lacks.ts"))};
       describe.skipIf(lacks("the sample", PROGRAMS.nginx))("sample", () => { test("runs", () => {}); });`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(env: Readonly<Record<string, string>>): Promise<{ tally: Tally; skips: readonly string[] }> {
    const child = Bun.spawn([process.execPath, "test", "./sample.test.ts"], {
      cwd: folder,
      env: { PATH: folder, ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const output = await child.stderr.text();
    return { tally: readTally(output) ?? expect.unreachable(), skips: readSkips(output) };
  }

  test("is skipped with its reason on a developer's machine", async () => {
    expect(await run({})).toEqual({
      tally: { passed: 0, failed: 0, skipped: 1 },
      skips: ["Skipped: the sample: no nginx here; on Debian: apt-get install nginx"],
    });
  });

  test("fails under CI", async () => {
    expect((await run({ CI: "true" })).tally).toEqual({ passed: 0, failed: 1, skipped: 1 });
    const others = { CI: "true", TESTS_MAY_LACK: "caddy: the mirror is down\nnginx: " };
    expect((await run(others)).tally.failed).toBe(1);
  });

  test("is skipped under CI where the list of what tests may lack has a reason", async () => {
    const env = { CI: "true", TESTS_MAY_LACK: "caddy: not packaged\nnginx: apt-get failed: 404: gone\n" };
    expect(await run(env)).toEqual({
      tally: { passed: 0, failed: 0, skipped: 1 },
      skips: ["Skipped: the sample: no nginx here (apt-get failed: 404: gone)"],
    });
  });
});
