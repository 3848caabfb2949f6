import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../../src/auth/caller.ts";
import type { Claim } from "../../../../src/pool/claim.ts";
import type { Demand } from "../../../../src/pool/directory.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import { Pool } from "../../../../src/pool/pool.ts";
import { LeastLoaded } from "../../../../src/pool/routing/least-loaded.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedSession } from "../../../support/scripted-session.ts";

function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 10,
    queueTimeoutMs: 1000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
    routePolicy: new LeastLoaded(),
  });
  const join = (workerId: string, slots: number): ScriptedSession => {
    const session = new ScriptedSession(workerId, ["m"], slots, clock);
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const ticketOf = (more: Partial<Demand> = {}) =>
    pool.issueTicket({ caller: ANONYMOUS, demand: { model: "m", exact: false, excluded: NONE_EXCLUDED, ...more } }, 0);
  const claim = (more?: Partial<Demand>): Claim => pool.claim(ticketOf(more)) ?? expect.unreachable();
  return { pool, join, ticketOf, claim };
}

test("each choice by load has its reason", () => {
  const { pool, join, ticketOf, claim } = setUp();
  const first = join("a", 1);
  expect(claim({ workerId: "a" }).route.reason).toBe("named");
  join("b", 2);
  expect(claim().worker.id).toBe("b");
  const least = claim();
  expect([least.worker.id, least.sessionId, least.route.reason]).toEqual([
    "b",
    pool.seatOf("b")?.session.id ?? "",
    "least_loaded",
  ]);
  const granted: Claim[] = [];
  pool.wait(
    ticketOf(),
    (late) => granted.push(late),
    () => {},
  );
  const spare = least.exclude(NONE_EXCLUDED);
  least.release();
  expect(granted.map(({ route }) => route.reason)).toEqual(["first_free"]);
  granted[0]?.release();
  first.vanish();
  expect(claim().route.reason).toBe("only_worker");
  join("c", 1);
  expect(claim({ excluded: spare }).route.reason).toBe("retry");
});

test("a worker that has the response which a request continues is chosen for that reason", () => {
  const { join, claim } = setUp();
  join("a", 2);
  join("b", 2);
  const continued = claim({ workerId: "b", workerReason: "response" });
  expect([continued.worker.id, continued.route.reason]).toEqual(["b", "response"]);
});
