import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { Job, type JobEnd } from "../../../src/pool/job.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

/** A pool of workers that serve one model, and jobs whose exchanges are of a kind that was made up for this test. */
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
  const join = (workerId: string, exchangeKinds?: readonly string[]): ScriptedSession => {
    const session = new ScriptedSession(workerId, ["m"], 1, clock);
    session.host = pool;
    if (exchangeKinds) session.changeOffer({ exchangeKinds });
    pool.onOpened(session);
    return session;
  };
  const ends: JobEnd[] = [];
  const start = (): void => {
    const spec = {
      requestId: "r",
      caller: ANONYMOUS,
      kind: "made.up",
      model: "m",
      exact: false,
      silenceMs: 60_000,
      stallMs: 60_000,
      request: () => ({ head: { kind: "made_up", method: "GET", path: "/", headers: [] }, body: new Uint8Array(0) }),
    };
    new Job(
      pool,
      clock,
      spec,
      { onHead: () => {}, onData: () => {}, onEnd: (end) => ends.push(end) },
      () => {},
    ).start();
  };
  return { join, start, ends, pool };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("a job of a kind that only some workers announced goes to one of these", async () => {
  const { join, start, ends } = setUp();
  const [old, other, able] = [join("old"), join("other", ["http"]), join("able", ["http", "made_up"])];
  start();
  await settle();
  expect([old, other, able].map(({ exchanges }) => exchanges.length)).toEqual([0, 0, 1]);
  able.exchanges[0]?.head({ status: 200, headers: [] });
  able.exchanges[0]?.end();
  expect(ends).toEqual([{ kind: "complete" }]);
});

test("a job of a kind that no worker announced fails with words that say so, and holds no slot", async () => {
  const { join, start, ends, pool } = setUp();
  const old = join("old");
  start();
  await settle();
  expect(old.exchanges).toEqual([]);
  expect(ends).toMatchObject([{ kind: "failed", fault: { code: "no_worker_available" }, begun: false }]);
  expect(ends[0]?.kind === "failed" && ends[0].fault.message).toContain("'made_up'");
  expect(pool.busyTotal).toBe(0);
});
