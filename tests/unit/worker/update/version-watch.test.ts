import { expect, test } from "bun:test";
import { createLog } from "../../../../src/system/log.ts";
import type { LastUpdate } from "../../../../src/worker/update/update-plan.ts";
import { type Updater, VersionWatch, type VersionWatchOptions } from "../../../../src/worker/update/version-watch.ts";

interface Rig {
  readonly watch: VersionWatch;
  readonly done: string[];
  readonly events: () => readonly string[];
  readonly lines: () => string;
}

function setUp(overrides: Partial<VersionWatchOptions> = {}, updating?: Partial<Updater>): Rig {
  const done: string[] = [];
  const lines: string[] = [];
  const updater: Updater = {
    last: () => undefined,
    async prepare(version) {
      done.push(`prepare ${version}`);
      return () => done.push("finish");
    },
    ...updating,
  };
  const watch = new VersionWatch({
    version: "0.2.0",
    server: "https://moorage.example.com",
    launcher: "moorage",
    updater: updating && updater,
    isUnverified: false,
    now: () => 1_000_000_000,
    log: createLog({ level: "info", format: "json", write: (line) => lines.push(line), now: () => 0 }),
    async stop() {
      done.push("stop");
    },
    flush: () => done.push("flush"),
    ...overrides,
  });
  const events = (): readonly string[] => lines.map((line) => String(JSON.parse(line).event));
  return { watch, done, events, lines: () => lines.join() };
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

test("a worker says once that the server has another version, and how to get it", async () => {
  const { watch, done, events, lines } = setUp();
  for (const version of ["0.3.0", "0.3.0", "0.2.0", undefined, "0.3.0"]) watch.handle(version);
  await settled();
  expect(events()).toEqual(["version.differs"]);
  expect(lines()).toContain("npx -y https://moorage.example.com/join/moorage-0.3.0.tgz worker");
  expect(done).toEqual([]);
});

test("a worker that is told to becomes that version, once it is there, and after its jobs", async () => {
  const { watch, done, events } = setUp({}, {});
  watch.handle("0.3.0");
  watch.handle("0.4.0");
  await settled();
  expect(done).toEqual(["prepare 0.3.0", "stop", "flush", "finish"]);
  expect(events()).toEqual(["version.differs", "update.started", "version.differs", "update.done"]);
});

test("a worker goes on where the server hands out no worker", async () => {
  const { watch, done, events, lines } = setUp(
    {},
    { prepare: () => Promise.reject(new Error("the server hands out no worker of its version")) },
  );
  watch.handle("0.1.0");
  await settled();
  expect(done).toEqual([]);
  expect(events()).toEqual(["version.differs", "update.started", "update.failed"]);
  expect(lines()).toContain("hands out no worker");
});

test("a worker that has just become a version does not try again", async () => {
  const last: LastUpdate = { version: "0.3.0", at: 0 };
  const { watch, done, events } = setUp({}, { last: () => last });
  watch.handle("0.3.0");
  await settled();
  expect(done).toEqual([]);
  expect(events()).toEqual(["version.differs", "update.refused"]);
});

test("a server that makes up versions fills no log", () => {
  const { watch, events } = setUp();
  for (let number = 0; number < 100; number += 1) watch.handle(`1.0.${number}`);
  expect(events().length).toBe(20);
});
