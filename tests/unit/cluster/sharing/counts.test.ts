import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCaller } from "../../../../src/auth/caller.ts";
import { Callers } from "../../../../src/auth/callers.ts";
import { COUNT_PERIOD_MS, Counts } from "../../../../src/cluster/sharing/counts.ts";
import { Tells } from "../../../../src/cluster/tells.ts";
import { Fault } from "../../../../src/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";
import { times } from "../../../support/times.ts";

/** Long enough for a count to be known everywhere. */
const NEWS_MS = COUNT_PERIOD_MS + 10;

/** Servers that count requests of callers together. */
class Servers {
  readonly clock = new FakeClock();
  readonly links: MemoryLinks;
  readonly counts: readonly Counts[];
  readonly #callers: readonly Callers[];
  readonly #running: { readonly at: number; leave(): void }[] = [];

  constructor(count: number, delayMs: number | (() => number) = 1) {
    this.links = new MemoryLinks(this.clock, delayMs);
    const lines = Array.from({ length: count }, (_, at) => this.links.join(`s${at}`));
    this.counts = lines.map((line) => new Counts(this.clock, new Tells(line)));
    this.#callers = this.counts.map(
      (elsewhere) =>
        new Callers({
          idleTimeouts: { liftIdleTimeout: () => {}, restoreIdleTimeout: () => {} },
          maxPerAddress: 0,
          addressOf: () => undefined,
          bucketOf: () => "unknown",
          elsewhere,
        }),
    );
    this.links.connectAll();
  }

  get running(): number {
    return this.#running.length;
  }

  runningAt(server: number): number {
    return this.#running.filter(({ at }) => at === server).length;
  }

  /** Lets a request in if the limit allows it. */
  enter(at: number, limit: number, name = "key"): boolean {
    const visit = { request: new Request("http://server.test/"), requestId: "r", address: () => undefined };
    try {
      const caller = this.#callers[at]?.enter(createCaller(name, { maxRequests: limit }), visit);
      if (caller) this.#running.push({ at, leave: () => caller.leave() });
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === "too_many_requests") return false;
      throw error;
    }
  }

  /** Ends one of the running requests. */
  leave(which: number): void {
    const [request] = this.#running.splice(which % Math.max(1, this.#running.length), 1);
    request?.leave();
  }

  leaveAll(): void {
    while (this.#running.length > 0) this.leave(0);
  }
}

describe("the limit of a key", () => {
  test("holds over all servers", () => {
    const servers = new Servers(3);
    const letIn = (at: number): number => {
      let count = 0;
      while (servers.enter(at, 30)) count += 1;
      servers.clock.advance(NEWS_MS);
      return count;
    };
    for (let each = 0; each < 10; each += 1) servers.enter(0, 30);
    servers.clock.advance(NEWS_MS);
    expect(letIn(1)).toBe(20);
    expect([letIn(2), letIn(0), letIn(1)]).toEqual([0, 0, 0]);
    servers.leave(0);
    servers.clock.advance(NEWS_MS);
    expect(letIn(2)).toBe(1);
  });

  test("is the local limit on a server that is alone", () => {
    const servers = new Servers(1);
    expect(Array.from({ length: 5 }, () => servers.enter(0, 3))).toEqual([true, true, true, false, false]);
  });

  test("forgets the requests of a server that is gone, and knows them again when it is back", () => {
    const servers = new Servers(2);
    for (let each = 0; each < 4; each += 1) servers.enter(0, 4);
    servers.clock.advance(NEWS_MS);
    expect(servers.enter(1, 4)).toBe(false);
    servers.links.cut("s0", "s1");
    expect(servers.enter(1, 4)).toBe(true);
    servers.links.connect("s0", "s1");
    servers.clock.advance(NEWS_MS);
    expect(servers.counts.map((counts) => counts.countOf("key"))).toEqual([1, 4]);
  });

  test("costs no message for callers who use little of it", () => {
    const servers = new Servers(3);
    for (let caller = 0; caller < 1000; caller += 1) servers.enter(caller % 3, 200, `key ${caller}`);
    servers.clock.advance(5000);
    servers.leaveAll();
    servers.clock.advance(5000);
    expect(servers.links.sent).toBe(6); // What each tells when a link stands.
  });

  test("costs at most a message in ten milliseconds for a caller at its limit", () => {
    const servers = new Servers(2);
    for (let each = 0; each < 10; each += 1) servers.enter(0, 10);
    const before = servers.links.sent;
    for (let ms = 0; ms < 1000; ms += 1) {
      servers.leave(0);
      servers.enter(0, 10);
      servers.clock.advance(1);
    }
    expect(servers.links.sent - before).toBeLessThanOrEqual(102);
  });

  test("is never exceeded by more than what arrives within a period and the time that news takes", () => {
    const steps = fc.array(
      fc.record({
        at: fc.nat(4),
        ms: fc.oneof(fc.constant(0), fc.nat(60)),
        act: fc.oneof({ weight: 3, arbitrary: fc.constant("enter") }, { weight: 1, arbitrary: fc.constant("leave") }),
        which: fc.nat(1000),
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(20),
        steps,
        (count, limit, delayMs, all) => {
          const servers = new Servers(count, delayMs);
          const windowMs = COUNT_PERIOD_MS + 3 * delayMs;
          const entered: number[] = [];
          servers.clock.advance(1000);
          for (const { at, ms, act, which } of all) {
            servers.clock.advance(ms);
            const now = servers.clock.elapsed();
            if (act === "leave") servers.leave(which);
            else if (servers.enter(at % count, limit)) entered.push(now);
            const lately = entered.filter((time) => now - time <= windowMs).length;
            expect(servers.running).toBeLessThanOrEqual(limit + lately);
          }
          // Whatever has happened, all agree in the end, and nothing is left when nothing runs.
          servers.leaveAll();
          servers.clock.advance(5000);
          for (const counts of servers.counts) expect(counts.countOf("key")).toBe(0);
          expect(servers.clock.pending).toBe(0);
        },
      ),
      { numRuns: times(200) },
    );
  });

  test("is known to all again after messages were lost and links have broken, and holds on each side of a cut", () => {
    const step = fc.record({
      act: fc.constantFrom("enter", "enter", "enter", "leave", "cut", "heal", "lose", "pass"),
      at: fc.nat(3),
      other: fc.nat(3),
      ms: fc.nat(300),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 120, size: "max" }), (limit, steps) => {
        const servers = new Servers(4, 2);
        for (const { act, at, other, ms } of steps) {
          if (act === "enter") servers.enter(at, limit);
          else if (act === "leave") servers.leave(at * 31 + other);
          else if (act === "cut" && at !== other) servers.links.cut(`s${at}`, `s${other}`);
          else if (act === "heal" && at !== other) servers.links.connect(`s${at}`, `s${other}`);
          else if (act === "lose") servers.links.isLossy = !servers.links.isLossy;
          else servers.clock.advance(ms);
          for (let server = 0; server < 4; server += 1) expect(servers.runningAt(server)).toBeLessThanOrEqual(limit);
        }
        servers.links.isLossy = false;
        servers.links.connectAll();
        servers.clock.advance(5000);
        for (const [at, counts] of servers.counts.entries()) {
          const elsewhere = servers.running - servers.runningAt(at);
          // A caller with few running requests at every server is not reported.
          expect([0, elsewhere]).toContain(counts.countOf("key"));
          if (servers.running > limit / 2) expect(counts.countOf("key")).toBe(elsewhere);
        }
        servers.leaveAll();
        servers.clock.advance(10_000);
        for (const counts of servers.counts) expect(counts.countOf("key")).toBe(0);
        expect(servers.clock.pending).toBe(0);
      }),
      { numRuns: times(100) },
    );
  });

  test("is not used up for ever by a count whose end was lost", () => {
    const servers = new Servers(2);
    for (let each = 0; each < 4; each += 1) servers.enter(0, 4);
    servers.clock.advance(NEWS_MS);
    servers.links.isLossy = true;
    servers.leaveAll();
    servers.clock.advance(4000);
    servers.links.isLossy = false;
    expect(servers.enter(1, 4)).toBe(true);
  });
});
