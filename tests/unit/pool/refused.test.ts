import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd, JobReport } from "../../../src/pool/job-spec.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

// A worker may say that it has no slot although its server counts one free: another server has taken it.

const REST_MS = 250;

function setUp({ queueTimeoutMs = 10_000 } = {}) {
  const clock = new FakeClock();
  const pool = new Pool({ clock, queueSize: 10, queueTimeoutMs, modelGraceMs: 60_000, serverId: "s1", name: "llm" });
  const join = (workerId: string, slots = 1): ScriptedSession => {
    const session = new ScriptedSession(workerId, ["m"], slots, clock);
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const start = (): { job: Job; ends: JobEnd[]; reports: JobReport[] } => {
    const ends: JobEnd[] = [];
    const reports: JobReport[] = [];
    const job: Job = new Job(
      pool,
      clock,
      {
        requestId: "r",
        kind: "chat.completions",
        model: "m",
        caller: ANONYMOUS,
        exact: false,
        silenceMs: 60_000,
        stallMs: 60_000,
        request: () => ({
          head: { method: "POST", path: "/", headers: [], timeout_ms: 60_000, stream: false },
          body: new Uint8Array(0),
        }),
      },
      { onHead: () => {}, onData: () => {}, onEnd: (end) => ends.push(end) },
      (report) => reports.push(report),
    );
    job.start();
    return { job, ends, reports };
  };
  return { clock, pool, join, start };
}

const answer = (session: ScriptedSession): void => {
  session.exchanges.at(-1)?.head({ status: 200, headers: [] });
  session.exchanges.at(-1)?.end();
};

test("a refused job goes to another worker at once, which is no second attempt", () => {
  const { join, start } = setUp();
  const full = join("full");
  const free = join("free");
  const { ends, reports } = start();
  full.exchanges[0]?.breakOff("busy");
  expect(free.exchanges).toHaveLength(1);
  answer(free);
  expect(ends).toEqual([{ kind: "complete" }]);
  expect(reports).toMatchObject([{ attempts: 1, refusals: 1, claim: { worker: { id: "free" } } }]);
});

test("a refused job may still lose two workers, as any job", () => {
  const { clock, join, start } = setUp();
  const sessions = ["a", "b", "c", "d"].map((id) => join(id));
  const { ends, reports } = start();
  sessions[0]?.exchanges[0]?.breakOff("busy");
  for (const at of [1, 2]) sessions[at]?.exchanges[0]?.finish({ kind: "lost", reason: "gone" });
  const last = sessions[3];
  if (last) answer(last);
  expect(ends).toEqual([{ kind: "complete" }]);
  expect(reports).toMatchObject([{ attempts: 3, refusals: 1 }]);
  clock.advance(REST_MS);
  expect(clock.pending).toBe(0);
});

test("a job whose workers were about to leave may still lose two workers, as any job", () => {
  const { join, start } = setUp();
  const sessions = ["a", "b", "c", "d", "e"].map((id) => join(id));
  const { ends, reports } = start();
  for (const at of [0, 1]) sessions[at]?.exchanges[0]?.breakOff("draining");
  for (const at of [2, 3]) sessions[at]?.exchanges[0]?.finish({ kind: "lost", reason: "gone" });
  const last = sessions[4];
  if (last) answer(last);
  expect(ends).toEqual([{ kind: "complete" }]);
  expect(reports).toMatchObject([{ attempts: 5, retryReason: "lost" }]);
});

test("a job that six workers in a row refuse because they leave fails", () => {
  const { join, start } = setUp();
  const sessions = Array.from({ length: 7 }, (_, at) => join(`w${at}`));
  const { ends } = start();
  for (const session of sessions) session.exchanges[0]?.breakOff("draining");
  expect(ends).toMatchObject([{ kind: "failed", fault: { code: "worker_lost" } }]);
  expect(sessions[6]?.exchanges).toHaveLength(0);
});

test("a job that the only worker refuses waits at its old place, and the worker gets it a moment later", () => {
  const { clock, pool, join, start } = setUp();
  const full = join("full");
  const first = start();
  const second = start();
  full.exchanges[0]?.breakOff("busy");
  expect([first.job.position, second.job.position, pool.busyTotal]).toEqual([1, 2, 0]);
  clock.advance(REST_MS - 1);
  expect(full.exchanges).toHaveLength(1);
  clock.advance(1);
  expect(full.exchanges).toHaveLength(2);
  answer(full);
  expect(first.ends).toEqual([{ kind: "complete" }]);
});

test("a worker that has refused gets jobs again as soon as one of its jobs ends or its offer changes", () => {
  const { pool, join, start } = setUp();
  const worker = join("w", 2);
  start();
  const refused = start();
  worker.exchanges[1]?.breakOff("busy");
  expect(refused.job.isWaiting).toBe(true);
  worker.exchanges[0]?.head({ status: 200, headers: [] });
  worker.exchanges[0]?.end();
  expect(worker.exchanges).toHaveLength(3);
  worker.exchanges[2]?.breakOff("busy");
  expect(refused.job.isWaiting).toBe(true);
  pool.onOfferChange(worker);
  expect(worker.exchanges).toHaveLength(4);
});

test("after three refusals a job waits before it tries a fourth worker", () => {
  const { clock, join, start } = setUp();
  const sessions = ["a", "b", "c", "d"].map((id) => join(id));
  const { job } = start();
  for (const session of sessions.slice(0, 3)) session.exchanges[0]?.breakOff("busy");
  expect(job.isWaiting).toBe(true);
  expect(sessions[3]?.exchanges).toHaveLength(0);
  clock.advance(REST_MS);
  expect(job.isWaiting).toBe(false);
});

test("refusals do not lengthen the wait: its deadline is that of the first", () => {
  const { clock, pool, join, start } = setUp({ queueTimeoutMs: 1000 });
  const startedAt = clock.elapsed();
  const full = join("full");
  const { ends, reports } = start();
  full.exchanges[0]?.breakOff("busy");
  for (let tries = 0; tries < 10 && ends.length === 0; tries += 1) {
    clock.advance(REST_MS);
    full.exchanges.at(-1)?.breakOff("busy");
  }
  expect(ends).toMatchObject([{ kind: "failed", fault: { code: "queue_timeout" } }]);
  expect(clock.elapsed() - startedAt).toBeLessThanOrEqual(1000 + REST_MS);
  expect(reports).toMatchObject([{ attempts: 0, claim: undefined }]);
  clock.advance(REST_MS);
  expect([pool.busyTotal, pool.queueLength, clock.pending]).toEqual([0, 0, 0]);
});

test("a refused job whose client leaves is over, and nothing of it is left", () => {
  const { clock, pool, join, start } = setUp();
  const full = join("full");
  const { job, ends } = start();
  full.exchanges[0]?.breakOff("busy");
  job.cancel();
  expect(ends).toEqual([{ kind: "canceled" }]);
  pool.onClosed(full);
  expect([pool.busyTotal, pool.queueLength, [...pool.jobs.all()].length, clock.pending]).toEqual([0, 0, 0, 0]);
});
