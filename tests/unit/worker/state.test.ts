import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { createLog } from "../../../src/system/log.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { openState, type WorkerState } from "../../../src/worker/state.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { workerSettings } from "../../support/test-worker.ts";

const TOKEN = `mj_${"a".repeat(12)}_${"s".repeat(32)}_${"c".repeat(6)}`;
const OTHER_TOKEN = `mj_${"b".repeat(12)}_${"s".repeat(32)}_${"c".repeat(6)}`;

let directory: { readonly path: string; remove(): void };
let opened: WorkerState[];
let logged: string;
beforeEach(() => {
  directory = temporaryDirectory();
  opened = [];
  logged = "";
});
afterEach(() => {
  for (const state of opened) state.release();
  chmodSync(directory.path, 0o700);
  directory.remove();
});

const usual = (): string => join(directory.path, "moorage/worker.json");

/** Starts a worker as far as its state is concerned. */
function open(overrides: Partial<WorkerSettings> = {}): WorkerState {
  const settings = workerSettings({ server: "https://hub.example", stateFile: usual(), ...overrides });
  const write = (line: string): void => {
    logged += line;
  };
  const log = createLog({ level: "info", format: "json", write, now: Date.now });
  const state = openState(settings, { clock: systemClock, ids: systemIds, log });
  opened.push(state);
  return state;
}

/** Starts a worker and ends it, and returns its id. */
function run(overrides: Partial<WorkerSettings> = {}): string {
  const state = open(overrides);
  state.release();
  return state.keptId?.id ?? state.identity?.workerId ?? "none";
}

const joined = (overrides: Partial<WorkerSettings>): WorkerState => {
  const state = open(overrides);
  state.identity?.forLinks().handleRegistered?.({ credential: `mk_of_${state.identity.workerId}` });
  return state;
};

describe("a worker with a client key", () => {
  test("keeps its id over restarts", () => {
    const id = run();
    expect(id).toMatch(/^[\w-]{22}$/);
    expect(run()).toBe(id);
    expect(logged).toBe("");
  });

  test("has another id at another server", () => {
    const id = run();
    expect(run({ server: "https://other.example" })).not.toBe(id);
    expect(run()).toBe(id);
  });

  test("has an id of its own beside another one of the same kind, and each finds its own again in any order", () => {
    const [one, two] = [{ backend: "http://127.0.0.1:1/v1" }, { backend: "http://127.0.0.1:2/v1" }];
    const first = open(one);
    const second = open(two);
    const ids = [first.keptId?.id, second.keptId?.id];
    expect(ids[0]).not.toBe(ids[1]);
    first.release();
    second.release();
    const again = [open(two).keptId?.id, open(one).keptId?.id];
    expect(again).toEqual([ids[1], ids[0]]);
  });

  test("that is started twice has two ids, of which a restart finds the first that is free", () => {
    const [first, second] = [open(), open()];
    const ids = [first.keptId?.id, second.keptId?.id];
    expect(new Set(ids).size).toBe(2);
    expect(open().keptId?.id).not.toBeOneOf(ids);
    second.release();
    expect(run()).toBe(ids[1] ?? "");
  });

  test("of another kind leaves the id alone", () => {
    const id = run();
    expect(run({ kinds: ["asr"] })).not.toBe(id);
    expect(run({ kinds: ["asr", "llm"] })).not.toBe(id);
    expect(run({ kinds: ["llm", "asr"] })).toBe(run({ kinds: ["asr", "llm"] }));
    expect(run()).toBe(id);
  });

  test("keeps its id with another backend, where no other worker has it", () => {
    const id = run({ backend: "http://127.0.0.1:1/v1" });
    expect(run({ backend: "http://127.0.0.1:2/v1" })).toBe(id);
  });

  test("keeps none that the operator chose, and none where STATE_FILE is none", () => {
    expect(run({ id: "gpu" })).toBe("none");
    expect(run({ stateFile: undefined })).toBe("none");
    expect(logged).toBe("");
  });

  test("takes another id when it loses one, and keeps that", () => {
    const state = open();
    const id = state.keptId?.id;
    state.keptId?.renew();
    const next = state.keptId?.id;
    expect(next).not.toBe(id);
    state.release();
    expect(run()).toBe(next ?? "");
  });

  test("never gets the file of a worker that has joined", () => {
    const id = joined({ joinToken: TOKEN, clientKeys: [] }).identity?.workerId;
    for (const state of opened) state.release();
    expect(run()).not.toBe(id ?? "");
    // And the one that has joined finds its own again.
    expect(run({ clientKeys: [] })).toBe(id ?? "");
  });

  test("goes on without a file that it can write, and says so", () => {
    for (const stateFile of ["/proc/moorage/worker.json", join(directory.path, "a-file/worker.json")]) {
      writeFileSync(join(directory.path, "a-file"), "");
      logged = "";
      expect(run({ stateFile })).toBe("none");
      expect(logged).toContain('"event":"worker.state_not_kept"');
      expect(logged).toContain("the worker has another id after each restart");
    }
  });
});

describe("a worker that joins", () => {
  const joins = { joinToken: TOKEN, clientKeys: [] };

  test("has an identity of its own beside one that runs", () => {
    const first = joined(joins);
    const second = joined(joins);
    expect(first.identity?.workerId).not.toBe(second.identity?.workerId ?? "");
    first.release();
    second.release();
    expect(run(joins)).toBe(first.identity?.workerId ?? "");
    expect(run({ clientKeys: [] })).toBe(first.identity?.workerId ?? "");
  });

  test("of another kind leaves the identity alone", () => {
    const first = joined(joins);
    first.release();
    const other = joined({ ...joins, kinds: ["asr"], joinToken: OTHER_TOKEN });
    other.release();
    expect(other.identity?.workerId).not.toBe(first.identity?.workerId ?? "");
    expect(run({ clientKeys: [] })).toBe(first.identity?.workerId ?? "");
    expect(run({ clientKeys: [], kinds: ["asr"] })).toBe(other.identity?.workerId ?? "");
  });

  test("needs its token no more, also with other kinds", () => {
    const state = joined(joins);
    state.release();
    expect(run({ clientKeys: [], kinds: ["llm", "asr"] })).toBe(state.identity?.workerId ?? "");
  });

  test("is a new worker where it had an id with a client key that it does not show", () => {
    const id = run();
    expect(run(joins)).not.toBe(id);
    expect(run({ ...joins, kinds: ["asr"] })).not.toBe(id);
  });

  test("goes on without a file that it can write, and says that the token is needed again", () => {
    const state = joined({ ...joins, stateFile: "/proc/moorage/worker.json" });
    expect(state.identity?.hasJoined).toBe(true);
    expect(logged).toContain("needs the join token again");
    expect(logged).not.toContain(TOKEN);
  });

  test("ends where the file that STATE_FILE names cannot be written", () => {
    expect(() => open({ ...joins, stateFile: "/proc/moorage/worker.json", isStateFileNamed: true })).toThrow(
      "/proc/moorage/worker.json cannot be written",
    );
  });
});

test("a worker with a file of its own writes nothing beside it", () => {
  const stateFile = join(directory.path, "own.json");
  const id = run({ stateFile, isStateFileNamed: true });
  expect(run({ stateFile, isStateFileNamed: true })).toBe(id);
  expect(readdirSync(directory.path)).toEqual(["own.json"]);
});
