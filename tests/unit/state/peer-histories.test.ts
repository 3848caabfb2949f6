import { describe, expect, test } from "bun:test";
import type { Pulse } from "../../../src/plugin/reports.ts";
import type { ServerLoad } from "../../../src/state/cluster-facts.ts";
import { CAPACITY } from "../../../src/state/history.ts";
import { PeerHistories } from "../../../src/state/peer-histories.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { sampleOf } from "../../support/sample-of.ts";
import { ScriptedCluster } from "../../support/scripted-cluster.ts";

const load = (requests: number, more: Partial<Pulse> = {}): ServerLoad => ({
  pulses: [{ id: "llm", pulse: { requests, slots: { used: 1, total: 4 }, ...more } }],
  firstByte: { p50Ms: 12, p95Ms: 80 },
  problems: { critical: 0, warning: 0 },
});

const setUp = () => {
  const clock = new FakeClock();
  const cluster = new ScriptedCluster(clock);
  const histories = new PeerHistories();
  const beat = (id: string, each: ServerLoad, epoch = "1"): void => {
    clock.advance(1000);
    cluster.peer(id, { load: each, epoch });
    const peer = cluster.facts().peers.find((one) => one.id === id);
    if (peer) histories.add(peer, clock.now());
  };
  return { clock, histories, beat };
};

describe("the history of a peer", () => {
  test("has a sample for each beat, with the differences of its counters", () => {
    const { histories, beat } = setUp();
    beat("b", load(100));
    beat("b", load(107));
    beat("b", load(107));
    expect(histories.history("b")?.samples.requests).toEqual([0, 7, 0]);
    expect(histories.history("b")?.samples.slots_total).toEqual([4, 4, 4]);
    expect(histories.second("b")?.sample.first_byte_p95_ms).toBe(80);
    expect(histories.second("b")?.pools).toMatchObject([{ plugin: "llm", slots_used: 1, slots_total: 4 }]);
  });

  test("goes on when the server has restarted, whose counters begin again", () => {
    const { histories, beat } = setUp();
    beat("b", load(100));
    beat("b", load(3), "2");
    beat("b", load(5), "2");
    expect(histories.history("b")?.samples.requests).toEqual([0, 0, 2]);
  });

  test("stays when the peer is gone, and ends for the longest silent one of too many", () => {
    const { histories, beat } = setUp();
    for (let n = 0; n < 65; n += 1) beat(`s${n}`, load(n));
    expect(histories.history("s0")).toBeUndefined();
    expect(histories.history("s1")?.samples.at).toHaveLength(1);
  });

  test("begins with the older samples that the peer has told, and keeps what was heard", () => {
    const { clock, histories, beat } = setUp();
    beat("b", load(100));
    beat("b", load(107));
    const heard = clock.now() - 1000;
    const told = [-2000, -1000, 0, 1000].map((offset) => sampleOf({ at: heard + offset, requests: 9 }));
    histories.fill("b", told);
    expect(histories.history("b")?.samples.requests).toEqual([9, 9, 0, 7]);
    expect(histories.history("b")?.samples.at).toEqual([heard - 2000, heard - 1000, heard, heard + 1000]);
    histories.fill("nobody", told);
    expect(histories.history("nobody")).toBeUndefined();
  });

  test("has no more samples than its capacity, whatever the peer tells", () => {
    const { clock, histories, beat } = setUp();
    clock.advance(CAPACITY * 2000);
    beat("b", load(100));
    const now = clock.now();
    histories.fill(
      "b",
      Array.from({ length: CAPACITY + 10 }, (_, n) => sampleOf({ at: now - 1000 * (CAPACITY + 10 - n) })),
    );
    const at = histories.history("b")?.samples.at;
    expect(at).toHaveLength(CAPACITY);
    expect(at?.[0]).toBe(now - 1000 * (CAPACITY - 1));
    expect(at?.at(-1)).toBe(now);
  });

  test("is not there for a peer that has told nothing", () => {
    expect(setUp().histories.history("b")).toBeUndefined();
  });
});
