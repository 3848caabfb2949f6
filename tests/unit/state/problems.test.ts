import { describe, expect, test } from "bun:test";
import { findInPool } from "../../../src/models/problems.ts";
import { NO_CAUSES } from "../../../src/plugin/failure-cause.ts";
import type { Pulse } from "../../../src/plugin/reports.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { type Found, type Problem, Problems } from "../../../src/state/problems.ts";
import { findCommon, type PluginFacts, type ServerFacts } from "../../../src/state/problems-found.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

const pulse = (more: Partial<Pulse> = {}): Pulse => ({
  workers: { idle: 1, working: 0, notReady: 0, draining: 0 },
  slots: { used: 0, total: 1 },
  queue: { waiting: 0, capacity: 100 },
  requests: 0,
  ...more,
});

const NOBODY = { idle: 0, working: 0, notReady: 0, draining: 0 };

const plugin = (id: string, more: Partial<Pulse> = {}, hadWorkers = true): PluginFacts => ({
  id,
  pulse: pulse(more),
  hadWorkers,
});

const facts = (more: Partial<ServerFacts> = {}): ServerFacts => ({
  isDraining: false,
  isApiOpen: false,
  hasAdmins: true,
  isClientOpen: false,
  isLoopback: false,
  areOwnersForgotten: false,
  areRecordsFailing: false,
  plugins: [plugin("llm")],
  requests: 0,
  failures: 0,
  authFailures: 0,
  ...more,
});

const brief = (found: readonly Found[]): readonly string[] =>
  found.map(({ code, severity, plugin: where }) => `${where ?? "server"} ${code} ${severity}`);

describe("problems of any server", () => {
  test("are none with keys, workers and no failures", () => {
    expect(findCommon(facts())).toEqual([]);
  });

  test("are nothing but the drain while the server drains", () => {
    const found = findCommon(
      facts({ isDraining: true, isApiOpen: true, plugins: [plugin("llm", { workers: NOBODY })] }),
    );
    expect(brief(found)).toEqual(["server draining info"]);
  });

  test("include a plugin whose workers have all left as critical, and none that never had one", () => {
    const empty = { workers: NOBODY };
    expect(brief(findCommon(facts({ plugins: [plugin("llm"), plugin("asr", empty, false)] })))).toEqual([]);
    expect(brief(findCommon(facts({ plugins: [plugin("llm"), plugin("asr", empty, true)] })))).toEqual([
      "asr no_workers critical",
    ]);
    const leftByAll = [plugin("llm", empty, true), plugin("asr", empty, false)];
    expect(brief(findCommon(facts({ plugins: leftByAll })))).toEqual(["llm no_workers critical"]);
  });

  test("include once, and not as critical, that nobody has connected to any plugin", () => {
    const none = [plugin("llm", { workers: NOBODY }, false), plugin("asr", { workers: NOBODY }, false)];
    const found = findCommon(facts({ plugins: [...none, plugin("transfer", { workers: undefined }, false)] }));
    expect(brief(found)).toEqual(["server no_workers warning"]);
    expect(found[0]?.advice).toContain("Add a worker");
    // A server that waits for nobody has nothing to report.
    expect(findCommon(facts({ plugins: [plugin("transfer", { workers: undefined }, false)] }))).toEqual([]);
  });

  test("call a plugin by what people call its work", () => {
    const named = { ...plugin("asr", { workers: NOBODY }), label: "Speech to text" };
    expect(findCommon(facts({ plugins: [named] }))[0]?.title).toBe("Speech to text: no worker is connected.");
  });

  test.each([
    ["rejected", "this server refused them", "QUEUE_SIZE"],
    ["timeout", "sent nothing for too long", "first byte"],
    ["backend", "a model server failed", "their model servers answered"],
    ["lost", "their worker was lost", "connections ended"],
  ] as const)("tell failures that are mostly '%s' from others", (cause, title, advice) => {
    const causes = { ...NO_CAUSES, [cause]: 51 };
    const [found] = findCommon(facts({ requests: 200, failures: 100, causes }));
    expect(found?.title).toContain(title);
    expect(found?.advice).toContain(advice);
    const [mixed] = findCommon(facts({ requests: 200, failures: 103, causes }));
    expect(mixed?.title).toContain("for several reasons");
  });

  test("count the workers of other servers, without which there would be none or none ready", () => {
    const of = (workers: Pulse["workers"], remoteWorkers: Pulse["workers"]) =>
      brief(findCommon(facts({ plugins: [{ ...plugin("llm", { workers }), remoteWorkers }] })));
    expect(of(NOBODY, { ...NOBODY, working: 1 })).toEqual([]);
    expect(of({ ...NOBODY, notReady: 1 }, { ...NOBODY, idle: 1 })).toEqual([]);
    expect(of(NOBODY, { ...NOBODY, draining: 1 })).toEqual(["llm no_ready_workers critical"]);
    expect(of(NOBODY, NOBODY)).toEqual(["llm no_workers critical"]);
  });

  test("do not include missing workers of a plugin without workers", () => {
    expect(findCommon(facts({ plugins: [plugin("transfer", { workers: undefined })] }))).toEqual([]);
  });

  test("include workers of which none accepts requests", () => {
    const workers = { idle: 0, working: 0, notReady: 2, draining: 1 };
    const [found] = findCommon(facts({ plugins: [plugin("llm", { workers })] }));
    expect(found).toMatchObject({ code: "no_ready_workers", severity: "critical" });
    expect(found?.title).toContain("2 not ready, 1 draining");
    expect(found?.advice).toContain("model server");
  });

  test("do not blame model servers if all workers are drained", () => {
    const workers = { idle: 0, working: 0, notReady: 0, draining: 2 };
    const [found] = findCommon(facts({ plugins: [plugin("llm", { workers })] }));
    expect(found?.code).toBe("no_ready_workers");
    expect(found?.advice).not.toContain("model server");
  });

  test.each([
    [0, 0, []],
    [5, 0, []],
    [50, 100, []],
    [51, 100, ["llm queue_filling warning"]],
    [90, 100, ["llm queue_filling warning"]],
    [91, 100, ["llm queue_filling critical"]],
  ])("for a queue with %p of %p waiting are %p", (waiting, capacity, expected) => {
    expect(brief(findCommon(facts({ plugins: [plugin("llm", { queue: { waiting, capacity } })] })))).toEqual(expected);
  });

  test.each([
    [19, 19, []],
    [20, 1, []],
    [20, 2, ["server error_rate warning"]],
    [100, 25, ["server error_rate warning"]],
    [100, 26, ["server error_rate critical"]],
  ])("for %p requests and %p failures are %p", (requests, failures, expected) => {
    expect(brief(findCommon(facts({ requests, failures })))).toEqual(expected);
  });

  test("tell missing API keys from missing client keys, and are less severe on the loopback", () => {
    const open = { isApiOpen: true, isClientOpen: true };
    const found = findCommon(facts(open));
    expect(found.map(({ about }) => about)).toEqual(["api", "client"]);
    expect(brief(found)).toEqual(["server keys_not_set warning", "server keys_not_set warning"]);
    expect(brief(findCommon(facts({ isApiOpen: true, isLoopback: true })))).toEqual(["server keys_not_set info"]);
  });

  test("include owners that a restart would forget, and records that cannot be written", () => {
    expect(brief(findCommon(facts({ areOwnersForgotten: true })))).toEqual(["server owners_not_kept warning"]);
    expect(brief(findCommon(facts({ areRecordsFailing: true })))).toEqual(["server store_write_failed critical"]);
  });

  test("include API keys that open the dashboard, until operators have keys of their own", () => {
    expect(brief(findCommon(facts({ hasAdmins: false })))).toEqual(["server admin_key_not_set info"]);
    // Where anybody may do anything, that says it all.
    expect(brief(findCommon(facts({ hasAdmins: false, isApiOpen: true })))).toEqual(["server keys_not_set warning"]);
  });

  test("include an open API, and the dashboard only if it is open as well", () => {
    const titleOf = (hasAdmins: boolean) => findCommon(facts({ hasAdmins, isApiOpen: true }))[0]?.title;
    expect(titleOf(false)).toBe("Anyone who can reach this server may use it and see this page.");
    expect(titleOf(true)).toBe("Anyone who can reach this server may use it.");
  });

  test("include many wrong keys in a minute, and not a few", () => {
    expect(findCommon(facts({ authFailures: 19 }))).toEqual([]);
    expect(brief(findCommon(facts({ authFailures: 20 })))).toEqual(["server too_many_auth_failures warning"]);
  });
});

describe("the list of problems", () => {
  const found = (code: string, more: Partial<Found> = {}): Found => ({
    code,
    severity: "warning",
    plugin: null,
    title: `${code}.`,
    advice: "Mend it.",
    ...more,
  });
  const at = (ms: number): { at: number; elapsed: number } => ({ at: 1_700_000_000_000 + ms, elapsed: ms });
  const codes = (list: readonly Problem[]): readonly string[] => list.map(({ code }) => code);

  test("says since when each problem exists, and starts again after a break", () => {
    const problems = new Problems();
    problems.update([found("a")], at(0));
    problems.update([found("a")], at(5000));
    expect(problems.list).toEqual([
      {
        code: "a",
        severity: "warning",
        plugin: null,
        about: {},
        title: "a.",
        advice: "Mend it.",
        since: "2023-11-14T22:13:20.000Z",
      },
    ]);
    problems.update([], at(6000));
    expect(problems.list).toEqual([]);
    problems.update([found("a")], at(7000));
    expect(problems.list[0]?.since).toBe("2023-11-14T22:13:27.000Z");
  });

  test("shows a condition once it has lasted long enough, with its true beginning", () => {
    const problems = new Problems();
    problems.update([found("a", { afterMs: 60_000 })], at(0));
    problems.update([found("a", { afterMs: 60_000 })], at(59_999));
    expect(problems.list).toEqual([]);
    problems.update([found("a", { afterMs: 60_000 })], at(60_000));
    expect(problems.list[0]?.since).toBe("2023-11-14T22:13:20.000Z");
  });

  test("keeps an intermittent problem, with its first beginning", () => {
    const problems = new Problems();
    const flickering = found("a", { afterMs: 4000, lingerMs: 2000 });
    problems.update([flickering], at(0));
    problems.update([], at(1999));
    problems.update([flickering], at(3000));
    problems.update([], at(4000));
    expect(problems.list[0]?.since).toBe("2023-11-14T22:13:20.000Z");
    problems.update([], at(5000));
    expect(problems.list).toEqual([]);
    problems.update([flickering], at(6000));
    problems.update([flickering], at(9999));
    expect(problems.list).toEqual([]);
  });

  test("keeps problems of one code apart by plugin and subject", () => {
    const problems = new Problems();
    problems.update([found("a", { plugin: "llm", about: "m" })], at(0));
    problems.update(
      [
        found("a", { plugin: "asr", about: "m" }),
        found("a", { plugin: "llm", about: "m" }),
        found("a", { plugin: "llm", about: "n" }),
      ],
      at(1000),
    );
    expect(problems.list.map(({ since }) => since.slice(17, 19))).toEqual(["20", "21", "21"]);
  });

  test("is sorted by severity, then age, and ends after fifty", () => {
    const problems = new Problems();
    problems.update([found("new info", { severity: "info" }), found("old")], at(0));
    problems.update(
      [found("new info", { severity: "info" }), found("new"), found("old"), found("worst", { severity: "critical" })],
      at(1000),
    );
    expect(codes(problems.list)).toEqual(["worst", "old", "new", "new info"]);
    problems.update(
      Array.from({ length: 60 }, (_, n) => found(`p${n}`)),
      at(2000),
    );
    expect(problems.list).toHaveLength(50);
  });

  test("has a new revision exactly when its content changes", () => {
    const problems = new Problems();
    const before = problems.revision;
    problems.update([found("a")], at(0));
    const after = problems.revision;
    expect(after).toBeGreaterThan(before);
    problems.update([found("a")], at(1000));
    expect(problems.revision).toBe(after);
    problems.update([found("a", { severity: "critical" })], at(2000));
    expect(problems.revision).toBeGreaterThan(after);
  });
});

describe("problems of a pool", () => {
  const PING_MS = 15_000;

  function setUp() {
    const clock = new FakeClock();
    const pool = new Pool({
      clock,
      queueSize: 10,
      queueTimeoutMs: 600_000,
      modelGraceMs: 60_000,
      serverId: "s1",
      name: "llm",
    });
    const join = (workerId: string): ScriptedSession => {
      const session = new ScriptedSession(workerId, ["m"], 1, clock);
      session.host = pool;
      pool.onOpened(session);
      return session;
    };
    const find = () => findInPool(pool, PING_MS, { at: clock.now(), elapsed: clock.elapsed() });
    const fail = (workerId: string, hasFailed: boolean): void => {
      const outcome = hasFailed ? "failed" : "completed";
      const error = hasFailed ? "upstream_error" : undefined;
      pool.seatOf(workerId)?.count({ outcome, error, runningMs: 0, usage: undefined, output: 0 }, clock.elapsed());
    };
    return { clock, pool, join, find, fail };
  }

  test("include a worker that is silent for more than two ping intervals as stale", () => {
    const { clock, join, find } = setUp();
    const one = join("one");
    clock.advance(2 * PING_MS);
    expect(find()).toEqual([]);
    clock.advance(1);
    expect(find()).toMatchObject([{ code: "worker_stale", severity: "warning" }]);
    expect(find()[0]?.title).toStartWith("'one' is silent");
    one.beat();
    expect(find()).toEqual([]);
  });

  test("include each worker that takes no requests although nobody drained it, with its reason, and at most five", () => {
    const { join, find } = setUp();
    const sessions = Array.from({ length: 7 }, (_, each) => join(`w${each}`));
    expect(find()).toEqual([]);
    sessions[0]?.changeOffer({ status: "not_ready", reason: `the model server is away ${"x".repeat(200)}` });
    const [found] = find();
    expect(found).toMatchObject({
      code: "worker_not_ready",
      severity: "warning",
      subject: { worker: "w0" },
      afterMs: 10_000,
    });
    expect(found?.title).toStartWith("'w0' is not ready: the model server is away");
    expect(found?.title.length).toBeLessThan(200);
    for (const session of sessions) session.changeOffer({ status: "not_ready" });
    expect(find()).toHaveLength(5);
    expect(find()[4]?.title).toContain("So are 2 more workers.");
    sessions[0]?.changeOffer({ status: "draining" });
    expect(find().map(({ about }) => about)).not.toContain("w0");
  });

  test("include a worker as failing while more than a fifth of its last jobs failed, one of them recently", () => {
    const { clock, join, find, fail } = setUp();
    join("one");
    fail("one", true);
    expect(find()).toEqual([]);
    fail("one", true);
    expect(find()).toMatchObject([{ code: "worker_failing" }]);
    expect(find()[0]?.advice).toContain("upstream_error");
    for (let job = 0; job < 8; job += 1) fail("one", false);
    expect(find()).toEqual([]);
    fail("one", true);
    expect(find()).toMatchObject([{ code: "worker_failing" }]);
    clock.advance(5 * 60_000 - 1);
    expect(find().map(({ code }) => code)).toContain("worker_failing");
    clock.advance(2);
    expect(find().map(({ code }) => code)).not.toContain("worker_failing");
  });

  test("count only the last twenty jobs of a worker", () => {
    const { join, find, fail } = setUp();
    join("one");
    for (let job = 0; job < 20; job += 1) fail("one", true);
    for (let job = 0; job < 16; job += 1) fail("one", false);
    expect(find()).toEqual([]);
    for (let job = 0; job < 100; job += 1) fail("one", job % 2 === 0);
    expect(find()).toHaveLength(1);
  });

  test("group many workers with one problem, which names the first of them", () => {
    const { clock, join, find } = setUp();
    for (let n = 0; n < 5; n += 1) join(`worker ${n} ${"x".repeat(100)}`);
    clock.advance(3 * PING_MS);
    const [found, more] = find();
    expect(more).toBeUndefined();
    expect(found?.title).toContain("and 2 more are silent");
    expect(found?.title.length).toBeLessThan(400);
  });
});

test("docs/dashboard.md lists every code of a problem", async () => {
  const read = (path: string): Promise<string> => Bun.file(new URL(`../../../${path}`, import.meta.url)).text();
  const sources = await Promise.all(
    [
      "src/state/problems-found.ts",
      "src/state/failure-problems.ts",
      "src/state/cluster-problems.ts",
      "src/models/problems.ts",
    ].map(read),
  );
  const codes = sources.flatMap((source) => [...source.matchAll(/\bcode: "(\w+)"/g)].map(([, code = ""]) => code));
  const rows = (await read("docs/dashboard.md")).split("\n").filter((line) => line.startsWith("| `"));
  expect(codes.length).toBeGreaterThan(8);
  expect(codes.filter((code) => !rows.some((row) => row.split("|")[1]?.includes(`\`${code}\``)))).toEqual([]);
});

describe("created keys of a cluster that are as last known", () => {
  const away = { since: Date.UTC(2027, 0, 31, 12), until: Date.UTC(2027, 0, 31, 13), isUnread: false, isStale: false };
  const titleOf = (more: Partial<typeof away>): readonly (string | undefined)[] => {
    const [found] = findCommon(facts({ keysAway: { ...away, ...more } }));
    return [found?.code, found?.severity, found?.title];
  };

  test("are told with the time until which they are accepted", () => {
    expect(titleOf({})).toEqual([
      "cluster_keys_away",
      "warning",
      "This server has heard of no change of keys since 2027-01-31 12:00:00 UTC, so created keys are accepted as last known, until 2027-01-31 13:00:00 UTC.",
    ]);
  });

  test("are critical once they are refused", () => {
    expect(titleOf({ isStale: true })).toEqual([
      "cluster_keys_stale",
      "critical",
      "This server has heard of no change of keys since 2027-01-31 12:00:00 UTC, so it refuses all created keys with 503 until it does.",
    ]);
  });

  test("are those of the server's own copy until the cluster's were read", () => {
    expect(titleOf({ isUnread: true })[2]).toContain(
      "accepts only the keys of its own copy, until 2027-01-31 13:00:00 UTC",
    );
  });
});
