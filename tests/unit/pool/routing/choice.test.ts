import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Claim } from "../../../../src/pool/claim.ts";
import { type Excluded, NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import type { WarmSession } from "../../../../src/pool/routing/affinity.ts";
import { isWithinGuard } from "../../../../src/pool/routing/guard.ts";
import { levelOfContender } from "../../../../src/pool/routing/score.ts";
import type { SeatModel } from "../../../../src/pool/seat.ts";
import { RoutedPool, warm } from "../../../support/routed-pool.ts";
import type { ScriptedSession } from "../../../support/scripted-session.ts";

const WARM_REASONS: ReadonlySet<string> = new Set(["session", "cache_key", "prefix"]);

const SLOTS = [1, 4, 1, 2];
const worker = fc.nat({ max: SLOTS.length - 1 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      warm: fc.array(worker, { maxLength: 3 }),
      excluded: fc.array(worker, { maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "work" as const), worker }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail often" as const), worker }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drain" as const), worker, isDrained: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const), worker }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("load" as const), worker, isLoaded: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("serve" as const), worker, ms: fc.constantFrom(500, 1000, 8000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1000, 5000, 30_000, 600_000) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Workers of the model with few slots, so that they are often full, and the slots that are held. */
class Rig extends RoutedPool {
  readonly sessions: ScriptedSession[] = SLOTS.map((slots, at) => this.join(`w${at}`, slots));
  readonly held: Claim[] = [];
  readonly log: string[] = [];

  act(what: Step): void {
    switch (what.do) {
      case "claim":
        return this.#claim(what.warm, what.excluded);
      case "release":
        return this.held.splice(what.at % Math.max(1, this.held.length), 1)[0]?.release();
      case "fail":
      case "work":
        return this.#end(what.worker, what.do === "fail");
      case "fail often":
        for (let at = 0; at < 5; at += 1) this.#end(what.worker, true);
        return;
      case "drain":
        return void this.pool.setDrained(`w${what.worker}`, what.isDrained);
      case "reconnect":
        this.sessions[what.worker] = this.join(`w${what.worker}`, SLOTS[what.worker] ?? 1);
        return;
      case "load":
        return this.sessions[what.worker]?.changeOffer({ loaded: what.isLoaded ? ["m"] : [] });
      case "serve":
        return this.serve(`w${what.worker}`, { firstByteMs: what.ms / 4, runningMs: what.ms });
      default:
        return this.clock.advance(what.ms);
    }
  }

  #end(at: number, hasFailed: boolean): void {
    const claim = this.claim({ workerId: `w${at}` });
    claim?.judge(hasFailed ? { link: "worked", model: "failed", reason: "x" } : { link: "worked", model: "worked" });
    claim?.release();
  }

  #claim(warmOnes: readonly number[], excludedOnes: readonly number[]): void {
    const candidates = warmOnes.map(
      (at): WarmSession => ({ sessionId: this.sessions[at]?.id ?? "", share: 0.5, source: "prefix" }),
    );
    const excluded: Excluded =
      excludedOnes.length === 0
        ? NONE_EXCLUDED
        : { sessions: new Set(), workers: new Set(excludedOnes.map((at) => `w${at}`)) };
    const able = this.#members.filter(({ seat }) => !excluded.workers.has(seat.session.worker.id));
    const expected = { able, levels: new Map(able.map((each) => [each, levelOfContender(each)])) };
    const busy = new Map(able.map((each) => [each, each.seat.busy]));
    const suspended = new Set(able.filter((each) => each.isSuspended));
    const isHealthyThere = able.some(({ seat, isOut }) => seat.capacity > 0 && !isOut);
    const open = able.filter((each) => each.seat.hasRoom && (!suspended.has(each) || !isHealthyThere));
    const claim = this.claim({ affinity: warm(...candidates), excluded });
    this.log.push(claim ? `${claim.worker.id} ${claim.route.reason}` : "waits");
    expect(claim === undefined).toBe(open.length === 0);
    if (!claim) return;
    this.held.push(claim);
    const to = open.find(({ seat }) => seat.session.id === claim.sessionId) ?? expect.unreachable();
    const best = Math.min(...open.map((each) => expected.levels.get(each) ?? 0));
    if (!WARM_REASONS.has(claim.route.reason)) return expect(expected.levels.get(to)).toBe(best);
    expect(suspended.has(to)).toBe(false);
    const capacity = to.seat.capacity;
    // Of several best ones, the one that has rested longest is compared with; the others are loaded alike.
    const bests = open.filter((each) => expected.levels.get(each) === best);
    const isAllowed = bests.some((other) =>
      isWithinGuard({ busy: busy.get(to) ?? 0, capacity }, (busy.get(other) ?? 0) / other.seat.capacity),
    );
    expect(isAllowed).toBe(true);
  }

  get #members(): readonly SeatModel[] {
    return Array.from(this.pool.seats(), (seat) => seat.byModel.get("m") ?? expect.unreachable());
  }
}

test("a job goes to the best seat that may have it, or to a warm one within the guard, and waits only if there is none", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const rig = new Rig();
      for (const what of steps) rig.act(what);
    }),
    { numRuns: 300 },
  );
});

test("the same events lead to the same choices", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const [first, second] = [new Rig(), new Rig()];
      for (const what of steps) {
        first.act(what);
        second.act(what);
      }
      expect(second.log).toEqual(first.log);
    }),
  );
});

test("the counts of a model's seats are those of its members, whatever happens", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const rig = new Rig();
      for (const what of steps) {
        rig.act(what);
        for (const seat of rig.pool.seats()) {
          const { counted, isOut, isLoaded } = seat.byModel.get("m") ?? expect.unreachable();
          expect(counted.isReady).toBe(seat.capacity > 0);
          if (counted.isReady) expect([counted.isOut, counted.isLoaded]).toEqual([isOut, isLoaded]);
        }
      }
    }),
  );
});
