import { describe, expect, test } from "bun:test";
import type { Caller } from "../../../../../src/auth/caller.ts";
import type { HeldClaim } from "../../../../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../../../../src/pool/excluded.ts";
import { FairRig, member } from "../../../../support/fair-rig.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const PERIOD_MS = 1000;
const JOB_MS = 200;

/** Servers with one worker each, which tell each other once a second what callers have received. */
class Servers {
  readonly clock = new FakeClock();
  readonly rigs: readonly FairRig[];

  constructor(slots: readonly number[]) {
    this.rigs = slots.map((count) => {
      const rig = new FairRig({}, this.clock);
      rig.connect("w", count);
      rig.pool.sharedService?.takeService();
      return rig;
    });
    this.clock.every(PERIOD_MS, () => {
      const told = this.rigs.map(({ pool }) => pool.sharedService?.takeService() ?? []);
      for (const [to, { pool }] of this.rigs.entries())
        for (const [from, services] of told.entries())
          if (to !== from) pool.sharedService?.addService(`s${from}`, services, this.clock.elapsed());
    });
  }

  /** Lets a caller keep jobs waiting at a server until the end. */
  keepWaiting(at: number, caller: Caller, jobs: number): void {
    const rig = this.rigs[at];
    if (!rig) throw new Error(`no server ${at}`);
    for (let each = 0; each < jobs; each += 1) this.#repeat(rig, caller);
  }

  serviceOf(name: string): number {
    return this.rigs.reduce((sum, rig) => sum + rig.serviceOf(name), 0);
  }

  #repeat(rig: FairRig, caller: Caller): void {
    const run = rig.start({ caller, cost: JOB_MS });
    const before = rig.onEvent;
    rig.onEvent = () => {
      before();
      if (run.endedAt === undefined || run.isRepeated) return;
      run.isRepeated = true;
      this.clock.after(0, () => this.#repeat(rig, caller));
    };
  }
}

describe("service that is told between servers", () => {
  test("counts: a caller who is served elsewhere leaves a shared server to another one", () => {
    const servers = new Servers([1, 1, 1]);
    const [both, one] = [member("both"), member("one")];
    servers.keepWaiting(0, both, 4);
    servers.keepWaiting(1, both, 4);
    servers.keepWaiting(1, one, 4);
    servers.clock.advance(60_000);
    // Each gets one of the two workers, up to a second of service of each server.
    expect(Math.abs(servers.serviceOf("both") - servers.serviceOf("one"))).toBeLessThanOrEqual(
      2 * PERIOD_MS + 2 * JOB_MS,
    );
  });

  test("counts by weight within a tenant, and without it for the tenant", () => {
    const servers = new Servers([1, 1, 1]);
    const alone = { ...member("alone"), weight: 2 };
    const team = [2, 1].map((weight) => ({ ...member(`of weight ${weight}`), tenant: "team", weight }));
    servers.keepWaiting(0, alone, 4);
    servers.keepWaiting(1, alone, 4);
    for (const at of [0, 1, 2]) for (const each of team) servers.keepWaiting(at, each, 4);
    servers.clock.advance(120_000);
    const [heavy, light] = [servers.serviceOf("of weight 2"), servers.serviceOf("of weight 1")];
    expect(servers.serviceOf("alone") / (heavy + light)).toBeCloseTo(1, 1);
    expect(heavy / light).toBeGreaterThan(1.8);
    expect(heavy / light).toBeLessThan(2.2);
  });

  test("is none where nobody waits", () => {
    const [rig] = new Servers([2]).rigs;
    rig?.start({ caller: member("alone"), cost: JOB_MS });
    rig?.start({ caller: member("alone"), cost: JOB_MS });
    rig?.clock.advance(500);
    expect(rig?.pool.sharedService?.takeService()).toEqual([]);
  });

  test("replaces what a server has charged for a job of the peer that tells it", () => {
    const clock = new FakeClock();
    const rig = new FairRig({}, clock);
    rig.connect("w", 2);
    const [peers, own] = [member("peers"), member("own")];
    for (let each = 0; each < 2; each += 1) rig.start({ caller: own, cost: 100 });
    const demand = { model: "m", exact: true, excluded: NONE_EXCLUDED };
    const slots: HeldClaim[] = [];
    const wait = (): void =>
      void rig.pool.peers.waitForPeer({ caller: peers, demand }, "s2", 0, (slot) => slots.push(slot));
    wait();
    wait();
    rig.start({ caller: own, cost: 100 });
    clock.advance(100);
    expect(slots).toHaveLength(1);
    rig.start({ caller: own, cost: 100 });
    // The peer's own count of its job, half of what was charged here.
    const told = { model: "m", class: "normal", tenant: "peers", caller: "peers", endUser: undefined } as const;
    rig.pool.sharedService?.addService("s2", [{ ...told, weight: 1, amount: 50 }], clock.elapsed());
    clock.advance(100);
    expect(slots).toHaveLength(2);
  });
});
