import { expect, test } from "bun:test";
import { createCaller } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd, JobSpec } from "../../../src/pool/job-spec.ts";
import { FirstCome } from "../../../src/pool/policies/first-come.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { CreateQueuePolicy, Eviction, QueueHost } from "../../../src/pool/queue-policy.ts";
import type { Ticket } from "../../../src/pool/ticket.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type ScriptedExchange, ScriptedSession } from "../../support/scripted-session.ts";

function setUp(createPolicy: CreateQueuePolicy = () => new FirstCome(10)) {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 10,
    queueTimeoutMs: 60_000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
    createPolicy,
  });
  const join = <T extends ScriptedSession>(session: T): T => {
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const start = (
    onEnd: (end: JobEnd) => void = () => {},
    request: JobSpec["request"] = () => ({ head: { method: "POST", path: "/", headers: [] }, body: new Uint8Array(0) }),
  ): { job: Job; ends: JobEnd[] } => {
    const ends: JobEnd[] = [];
    const job = new Job(
      pool,
      clock,
      {
        requestId: "r",
        kind: "chat.completions",
        model: "m",
        caller: createCaller("alice"),
        exact: false,
        silenceMs: 60_000,
        stallMs: 60_000,
        request,
      },
      {
        onHead: () => {},
        onData: () => {},
        onEnd: (end) => {
          ends.push(end);
          onEnd(end);
        },
      },
      () => {},
    );
    job.start();
    return { job, ends };
  };
  return { clock, pool, join, start };
}

/** A session that has a mistake: it throws where it should open an exchange. */
class FaultySession extends ScriptedSession {
  override open(): ScriptedExchange {
    throw new TypeError("a mistake");
  }
}

test("a session that throws instead of opening an exchange costs no slot, and fails its own job alone", () => {
  const { clock, pool, join, start } = setUp();
  const sound = join(new ScriptedSession("sound", ["m"], 1, clock));
  start();
  const waiting = start();
  join(new FaultySession("faulty", ["m"], 1, clock));
  expect(waiting.ends).toMatchObject([{ kind: "failed", fault: { code: "internal_error" } }]);
  sound.vanish();
  expect(pool.busyTotal).toBe(0);
});

test("a job that gets a slot while another one makes room for it in the queue runs, and does not seem to wait", () => {
  const isHeldBack = { value: true };
  const tickets: Ticket[] = [];
  let host: QueueHost | undefined;
  /** Holds all back at first, and has room for one. */
  class OneWaits extends FirstCome {
    override mayBegin(): boolean {
      return !isHeldBack.value;
    }
    override evict(newcomer: Ticket): Eviction | undefined {
      const before = tickets.at(-1);
      tickets.push(newcomer);
      return before && { ticket: before };
    }
  }
  const { clock, join, start } = setUp((given) => {
    host = given;
    return new OneWaits(10);
  });
  const worker = join(new ScriptedSession("w", ["m"], 1, clock));
  start(() => {
    isHeldBack.value = false;
    const newcomer = tickets.at(-1);
    if (newcomer) host?.wake(newcomer);
  });
  const { job } = start();
  expect(worker.exchanges).toHaveLength(1);
  expect([job.isWaiting, job.facts().status]).toEqual([false, "running"]);
});

test("a job that is cancelled by the end of the job which gets its slot does not wait for another worker", () => {
  const { clock, pool, join, start } = setUp();
  const leaving = join(new ScriptedSession("leaving", ["m"], 1, clock));
  const first = start();
  const takesItAlong = start(
    () => first.job.cancel(),
    () => {
      throw new Fault("invalid_request");
    },
  );
  leaving.exchanges[0]?.breakOff("draining");
  expect([first.ends.length, takesItAlong.ends.length]).toEqual([1, 1]);
  expect(first.job.isWaiting).toBe(false);
  expect([pool.busyTotal, pool.queueLength]).toEqual([0, 0]);
});
