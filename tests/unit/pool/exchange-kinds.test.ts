import { describe, expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd } from "../../../src/pool/job-spec.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

const KIND = "made_up";
const HEAD = { status: 200, headers: [] } as const;

/** A pool, and jobs whose exchanges are of a kind that was made up for these tests. */
function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    serverId: "s",
    name: "llm",
    queueSize: 10,
    queueTimeoutMs: 1000,
    modelGraceMs: 60_000,
  });
  const join = (workerId: string, exchangeKinds?: readonly string[], models = ["m"]): ScriptedSession => {
    const session = new ScriptedSession(workerId, models, 1, clock);
    if (exchangeKinds) session.changeOffer({ exchangeKinds });
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const ends: JobEnd[] = [];
  const start = ({ announced = true, model = "m", workerId }: StartOptions = {}): void => {
    const spec = {
      requestId: "r",
      caller: ANONYMOUS,
      kind: "made.up",
      model,
      workerId,
      exact: false,
      exchangeKind: announced ? KIND : undefined,
      silenceMs: 60_000,
      stallMs: 60_000,
      request: () => ({ head: { kind: KIND, method: "GET", path: "/", headers: [] }, body: new Uint8Array(0) }),
    };
    new Job(
      pool,
      clock,
      spec,
      { onHead: () => {}, onData: () => {}, onEnd: (end) => ends.push(end) },
      () => {},
    ).start();
  };
  const opened = (...sessions: readonly ScriptedSession[]): readonly number[] =>
    sessions.map(({ exchanges }) => exchanges.length);
  return { pool, join, start, ends, opened };
}

interface StartOptions {
  /** Whether the job tells the pool the kind of its exchanges. */
  readonly announced?: boolean;
  readonly model?: string;
  readonly workerId?: string;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe("a job whose exchanges are of a kind of their own", () => {
  test("goes at once to a worker that announced the kind, however many others are idle", () => {
    const { join, start, opened, ends } = setUp();
    const others = [join("a"), join("b", ["http"]), join("c", []), join("d")];
    const able = join("able", ["http", KIND]);
    start();
    expect(opened(...others, able)).toEqual([0, 0, 0, 0, 1]);
    able.exchanges[0]?.head(HEAD);
    able.exchanges[0]?.end();
    expect(ends).toEqual([{ kind: "complete" }]);
  });

  test("waits for such a worker while it is busy, and no other's free slot wakes it", () => {
    const { join, start, opened, pool } = setUp();
    const able = join("able", ["http", KIND]);
    start();
    start();
    const other = join("other");
    expect(opened(able, other)).toEqual([1, 0]);
    expect(pool.queueLength).toBe(1);
    able.exchanges[0]?.head(HEAD);
    able.exchanges[0]?.end();
    expect(opened(able, other)).toEqual([2, 0]);
  });

  test("is served by a stand-in when no worker of the very model takes the kind", () => {
    const { join, start, opened } = setUp();
    const exact = join("exact", ["http"], ["llama:8b"]);
    const standIn = join("stand-in", ["http", KIND], ["llama:8b-q4"]);
    start({ model: "llama:8b" });
    expect(opened(exact, standIn)).toEqual([0, 1]);
  });

  test.each([undefined, "other"])("fails at once, in words, when no worker takes the kind (worker %p)", (workerId) => {
    const { join, start, ends, pool, opened } = setUp();
    const other = join("other");
    start(workerId === undefined ? {} : { workerId });
    expect(ends).toMatchObject([{ kind: "failed", fault: { code: "no_worker_available" }, begun: false }]);
    expect(ends[0]?.kind === "failed" && ends[0].fault.message).toContain(`'${KIND}'`);
    expect([pool.busyTotal, pool.queueLength, ...opened(other)]).toEqual([0, 0, 0]);
  });

  test("waits as any job does while no worker of its model is connected at all", () => {
    const { join, start, ends, pool, opened } = setUp();
    join("gone", [KIND]).vanish();
    start();
    expect([ends.length, pool.queueLength]).toEqual([0, 1]);
    expect(opened(join("back", [KIND]))).toEqual([1]);
  });

  test("waits for the return of the only worker that took it, though others are idle", () => {
    const { join, start, ends, pool, opened } = setUp();
    const able = join("able", [KIND]);
    join("other");
    start();
    able.vanish();
    expect([ends.length, pool.queueLength]).toEqual([0, 1]);
    expect(opened(join("able", [KIND]))).toEqual([1]);
  });
});

describe("a job that does not tell the pool of its kind", () => {
  test("goes on from a worker that did not announce it to one that did", async () => {
    const { join, start, opened } = setUp();
    const [old, able] = [join("old"), join("able", ["http", KIND])];
    start({ announced: false });
    await settle();
    expect(opened(old, able)).toEqual([0, 1]);
  });

  test("fails in words when no worker announced it, and holds no slot", async () => {
    const { join, start, opened, ends, pool } = setUp();
    const old = join("old");
    start({ announced: false });
    await settle();
    expect(opened(old)).toEqual([0]);
    expect(ends).toMatchObject([{ kind: "failed", fault: { code: "no_worker_available" }, begun: false }]);
    expect(pool.busyTotal).toBe(0);
  });
});
