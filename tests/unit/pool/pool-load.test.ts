import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { NONE_EXCLUDED } from "../../../src/pool/excluded.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { JobTicket } from "../../../src/pool/ticket.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 10,
    queueTimeoutMs: 1000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
  });
  const seen: string[] = [];
  pool.load.watch((seat) => seen.push(`${seat.session.worker.id} ${seat.busy} ${pool.load.has(seat)}`));
  const session = new ScriptedSession("w", ["m"], 2, clock);
  session.host = pool;
  const ticket = (model: string): JobTicket =>
    pool.issueTicket({ caller: ANONYMOUS, demand: { model, exact: false, excluded: NONE_EXCLUDED } }, 0);
  return { pool, session, seen, ticket, changes: () => seen.splice(0).at(-1) };
}

test("a listener to the load of a pool hears of each seat that comes, changes and goes", () => {
  const { pool, session, ticket, changes } = setUp();
  pool.onOpened(session);
  expect(changes()).toBe("w 0 true");
  const claim = pool.claim(ticket("m"));
  expect(changes()).toBe("w 1 true");
  claim?.release();
  expect(changes()).toBe("w 0 true");
  session.changeOffer({ maxConcurrency: 5 });
  expect(changes()).toBe("w 0 true");
  session.vanish();
  expect(changes()).toBe("w 0 false");
});

test("the load of a pool contains the tickets that wait", () => {
  const { pool, session, ticket } = setUp();
  pool.onOpened(session);
  pool.claim(ticket("m"));
  pool.claim(ticket("m"));
  const waiting = ticket("m");
  const wait = pool.wait(
    waiting,
    () => {},
    () => {},
  );
  expect(pool.load.waiting()).toEqual([waiting]);
  wait.leave();
  expect(pool.load.waiting()).toEqual([]);
});
