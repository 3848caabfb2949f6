import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Caller, createCaller } from "../../src/auth/caller.ts";
import { Fault } from "../../src/errors.ts";
import type { Claim } from "../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { lineOf } from "../../src/pool/lines.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { CreateQueuePolicy, OpenSeat, QueueHost, QueuePolicy } from "../../src/pool/queue-policy.ts";
import type { JobTicket, Ticket } from "../../src/pool/ticket.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { PolicyWitness } from "../support/policy-witness.ts";
import { ScriptedSession } from "../support/scripted-session.ts";
import { times } from "../support/times.ts";

const ALICE = createCaller("alice");
const BOB = createCaller("bob");

let issued = 0;
function issue(caller: Caller, model = "m", wasAccepted = false): JobTicket {
  issued += 1;
  const demand = { model, exact: false, excluded: NONE_EXCLUDED };
  return {
    number: issued,
    caller,
    class: caller.class,
    endUser: undefined,
    arrivedAt: 0,
    demand,
    wasAccepted,
    expiresAt: undefined,
  };
}

/** A seat that serves some models, and none of the tickets whose jobs exclude its worker. */
function seatFor(models: readonly string[], workerId = "w"): OpenSeat {
  return {
    lines: models.map((model) => lineOf({ model, exact: false })),
    serves: ({ demand }) => models.includes(demand.model) && !demand.excluded.workers.has(workerId),
  };
}

/** Issues a ticket whose job must not go to these workers. */
function issueWithout(workers: readonly string[], caller: Caller): JobTicket {
  const ticket = issue(caller);
  ticket.demand = { ...ticket.demand, excluded: { sessions: new Set(), workers: new Set(workers) } };
  return ticket;
}

const HOST: QueueHost = { wake: () => {}, refuse: () => {}, loadOf: () => ({ busy: 0, slots: 1 }) };

/** Takes tickets out as a pool does, until the policy names none for this seat. */
function serveAll(policy: QueuePolicy, seat: OpenSeat): Ticket[] {
  const served: Ticket[] = [];
  for (let ticket = policy.next(seat, 0); ticket; ticket = policy.next(seat, 0)) {
    policy.leave(ticket);
    policy.begin(ticket, seat, 0);
    policy.end(ticket, undefined, 0);
    served.push(ticket);
  }
  return served;
}

/**
 * Holds a queue policy to the duties of its port. `make` creates one for so many waiting jobs, in which no limit holds a
 * caller back unless the policy has limits that two callers with few jobs do not reach.
 */
export function describeQueuePolicy(name: string, make: (capacity: number) => CreateQueuePolicy): void {
  const create = (capacity = 100): QueuePolicy => make(capacity)(HOST);
  const fill = (policy: QueuePolicy, tickets: readonly Ticket[]): void => {
    for (const ticket of tickets) policy.join(ticket, 0);
  };

  describe(`${name}, as a queue policy,`, () => {
    test("lets a job begin while nothing waits", () => {
      const policy = create();
      expect(policy.mayBegin(issue(ALICE), 0)).toBe(true);
      expect(policy.next(seatFor(["m"]), 0)).toBeUndefined();
    });

    test("names for a seat only tickets that wait and that the seat serves", () => {
      const policy = create();
      const first = issueWithout(["v", "u"], ALICE);
      const second = issueWithout(["u"], ALICE);
      fill(policy, [first, second, issue(ALICE, "other")]);
      expect(policy.next(seatFor(["m"]), 0)).toBe(first);
      expect(policy.next(seatFor(["m"], "v"), 0)).toBe(second);
      expect(policy.next(seatFor(["m"], "u"), 0)).toBeUndefined();
      expect(policy.next(seatFor(["else"]), 0)).toBeUndefined();
      policy.leave(first);
      expect(policy.next(seatFor(["m"]), 0)).toBe(second);
    });

    test("answers the same when it is asked again", () => {
      const policy = create(2);
      const [first, second] = [issue(ALICE), issue(BOB)];
      fill(policy, [first, second]);
      const newcomer = issue(ALICE);
      const ask = () => [
        policy.next(seatFor(["m"]), 0),
        policy.evict(newcomer, 0)?.ticket,
        policy.mayBegin(newcomer, 0),
        policy.position(first, 0),
        policy.position(second, 0),
      ];
      expect(ask()).toEqual(ask());
    });

    test("serves the tickets of one caller in one line in the order of their numbers, also one that comes back", () => {
      const policy = create();
      const tickets = Array.from({ length: 5 }, () => issue(ALICE));
      const [back, ...others] = tickets;
      if (!back) throw new Error("there are five");
      policy.begin(back, seatFor(["m"]), 0);
      fill(policy, others);
      policy.end(back, undefined, 0);
      policy.join(back, 0);
      expect(serveAll(policy, seatFor(["m"]))).toEqual(tickets);
    });

    test("leaves no slot unused that a waiting ticket could have", () => {
      const policy = create();
      const tickets = [issue(ALICE, "a"), issue(BOB, "b"), issue(BOB, "a"), issue(ALICE, "b"), issue(ALICE, "c")];
      fill(policy, tickets);
      expect(serveAll(policy, seatFor(["b", "a"]))).toHaveLength(4);
      expect(serveAll(policy, seatFor(["c"]))).toHaveLength(1);
    });

    test("forgets a ticket that has left, and bears one that leaves twice or never came", () => {
      const policy = create(1);
      const ticket = issue(ALICE);
      policy.leave(ticket);
      policy.join(ticket, 0);
      policy.leave(ticket);
      policy.leave(ticket);
      expect(policy.next(seatFor(["m"]), 0)).toBeUndefined();
      expect(policy.position(ticket, 0)).toBe(0);
      expect(policy.evict(issue(BOB), 0)).toBeUndefined();
    });

    test("gives each waiting ticket a position from 1, first to the one that is next", () => {
      const policy = create();
      const tickets = [issue(ALICE), issue(BOB), issue(ALICE)];
      fill(policy, tickets);
      const next = policy.next(seatFor(["m"]), 0);
      expect(next && policy.position(next, 0)).toBe(1);
      expect(tickets.map((ticket) => policy.position(ticket, 0)).sort()).toEqual([1, 2, 3]);
      expect(policy.position(issue(ALICE), 0)).toBe(0);
    });

    test("turns nobody away below its capacity, and beyond it the newcomer or one that waits, but none accepted before", () => {
      const policy = create(3);
      const accepted = Array.from({ length: 2 }, () => issue(ALICE, "m", true));
      const waiting = [...accepted, issue(ALICE)];
      for (const ticket of waiting) {
        expect(policy.evict(ticket, 0)).toBeUndefined();
        policy.join(ticket, 0);
      }
      const newcomer = issue(BOB);
      const evicted = policy.evict(newcomer, 0)?.ticket;
      expect([newcomer, waiting[2]]).toContain(evicted as JobTicket);
      policy.leave(waiting[2] as JobTicket); // Given above.
      expect(policy.evict(newcomer, 0)).toBeUndefined();
    });

    test("serves tickets of peers like its own, without room for them, and refuses none of them", () => {
      const policy = create(1);
      const ofPeers = Array.from({ length: 3 }, () => ({ ...issue(BOB, "m", true), peer: "s2" }));
      fill(policy, ofPeers);
      const own = issue(ALICE);
      expect(policy.evict(own, 0)).toBeUndefined();
      policy.join(own, 0);
      const newcomer = issue(BOB);
      expect([newcomer, own]).toContain(policy.evict(newcomer, 0)?.ticket as JobTicket);
      expect(new Set(serveAll(policy, seatFor(["m"])))).toEqual(new Set([...ofPeers, own]));
      expect(policy.evict(newcomer, 0)).toBeUndefined();
    });

    test("in any order of events serves nobody twice, leaves no fitting slot free and keeps its bound; its pool keeps the order of calls", () => {
      const step = fc.oneof(
        { weight: 5, arbitrary: fc.record({ do: fc.constant("ask" as const), who: fc.nat(2), model: fc.nat(2) }) },
        {
          weight: 3,
          arbitrary: fc.record({
            do: fc.constantFrom("release" as const, "refuse" as const, "abandon" as const),
            at: fc.nat(),
          }),
        },
        { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 250, 1000) }) },
        {
          weight: 1,
          arbitrary: fc.record({ do: fc.constantFrom("join" as const, "leave" as const), worker: fc.nat(3) }),
        },
      );
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const clock = new FakeClock();
          const witness: { policy?: PolicyWitness } = {};
          const pool = new Pool({
            clock,
            queueSize: 3,
            queueTimeoutMs: 1000,
            modelGraceMs: 60_000,
            serverId: "s1",
            name: "llm",
            createPolicy: (host) => {
              witness.policy = new PolicyWitness(make(3)(host));
              return witness.policy;
            },
          });
          const callers = [ALICE, BOB, createCaller("carol")];
          const sessions: (ScriptedSession | undefined)[] = [];
          const join = (worker: number): void => {
            const session = new ScriptedSession(`w${worker}`, [`m${worker % 3}`, "m0"], 1 + (worker % 2), clock);
            session.host = pool;
            sessions[worker] = session;
            pool.onOpened(session);
          };
          const held: Claim[] = [];
          const waits = new Map<JobTicket, { readonly leave: () => void }>();
          const ask = (who: number, model: number): void => {
            const demand = { model: `m${model}`, exact: false, excluded: NONE_EXCLUDED };
            const ticket = pool.issueTicket({ caller: callers[who] ?? ALICE, demand }, clock.elapsed());
            try {
              const claim = pool.claim(ticket);
              if (claim) return void held.push(claim);
              const granted = (given: Claim): void => {
                expect(waits.delete(ticket)).toBe(true);
                held.push(given);
              };
              waits.set(
                ticket,
                pool.wait(ticket, granted, () => expect(waits.delete(ticket)).toBe(true)),
              );
            } catch (error) {
              if (!(error instanceof Fault)) throw error;
            }
          };
          for (let worker = 0; worker < 3; worker += 1) join(worker);
          for (const each of steps) {
            switch (each.do) {
              case "ask":
                ask(each.who, each.model);
                break;
              case "pass":
                clock.advance(each.ms);
                break;
              case "join":
                join(each.worker);
                break;
              case "leave": {
                const session = sessions[each.worker];
                if (session) pool.onClosed(session);
                break;
              }
              case "abandon": {
                const [ticket, wait] = [...waits][each.at % Math.max(1, waits.size)] ?? [];
                if (ticket) waits.delete(ticket);
                wait?.leave();
                break;
              }
              default: {
                const claim = held.splice(each.at % Math.max(1, held.length), 1)[0];
                if (each.do === "refuse") claim?.refuse();
                claim?.release();
              }
            }
            expect(pool.busyTotal).toBe(held.length);
            expect(pool.queueLength).toBe(waits.size);
            expect(waits.size).toBeLessThanOrEqual(3);
            for (const ticket of waits.keys()) expect(pool.hasRoomFor(ticket)).toBe(false);
          }
          for (const claim of held.splice(0)) claim.release();
          clock.advance(10_000);
          for (const claim of held.splice(0)) claim.release();
          expect([pool.busyTotal, pool.queueLength, clock.pending]).toEqual([0, 0, 0]);
          expect(witness.policy?.wrongs).toEqual([]);
          expect(witness.policy?.open).toBe(0);
        }),
        { numRuns: times(300) },
      );
    });
  });
}
