import { expect, test } from "bun:test";
import fc from "fast-check";
import { createCaller } from "../../src/auth/caller.ts";
import { PoolCluster } from "../support/pool-cluster.ts";
import { times } from "../support/times.ts";

const SERVERS = 4;
const CALLERS = [
  createCaller("alice"),
  { ...createCaller("bob"), weight: 3 },
  { ...createCaller("carol"), class: "interactive" },
  { ...createCaller("dave"), class: "background" },
] as const;
/** The longest job. */
const LONGEST_MS = 400;

const server = fc.nat(SERVERS - 1);
const event = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("send"), server, caller: fc.nat(3), ms: fc.nat(LONGEST_MS) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.nat(600) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel"), which: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("join"), server, slots: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("vanish"), server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), server, other: server }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("heal"), server, other: server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("slow"), ms: fc.nat(400) }) },
);
type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

function apply(cluster: PoolCluster, each: Event): void {
  const { clock, links, runs } = cluster;
  switch (each.kind) {
    case "send":
      if ("caller" in each)
        cluster.send({ server: each.server, ms: each.ms, caller: CALLERS[each.caller] ?? CALLERS[0] });
      return;
    case "pass":
      if ("ms" in each) clock.advance(each.ms);
      return;
    case "cancel":
      if ("which" in each) runs[each.which % Math.max(1, runs.length)]?.job.cancel();
      return;
    case "join":
      if ("slots" in each) cluster.connect(each.server, `w${crypto.randomUUID()}`, each.slots);
      return;
    case "vanish":
      if ("server" in each) cluster.at(each.server).sessions.shift()?.vanish();
      return;
    case "cut":
      if ("other" in each && each.other !== each.server) links.cut(`s${each.server}`, `s${each.other}`);
      return;
    case "heal":
      if ("other" in each && each.other !== each.server) links.connect(`s${each.server}`, `s${each.other}`);
      return;
    default:
      if ("ms" in each) links.delayMs = () => each.ms;
  }
}

test("whatever happens between servers, each job ends once, is never sent again after its first byte nor over two servers, no slot stays held, and none is free while a job waits", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80, size: "max" }), fc.integer(), (events, seed) => {
      let state = seed >>> 0;
      const random = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      const cluster = new PoolCluster({ servers: SERVERS, random });
      for (const each of events) {
        apply(cluster, each);
        for (const { pool } of cluster.servers)
          for (const { busy, capacity } of pool.seats()) expect(busy).toBeLessThanOrEqual(capacity);
      }
      cluster.links.delayMs = () => 1;
      cluster.links.connectAll();
      cluster.connect(0, "last", 1);
      cluster.clock.advance(5000 + cluster.runs.length * (LONGEST_MS + 50));
      for (const { ends, repeats } of cluster.runs) expect([ends.length, repeats]).toEqual([1, 0]);
      for (const { pool, busy, offers, secondHops } of cluster.servers)
        expect([pool.queueLength, pool.busyTotal, busy, offers?.held, secondHops]).toEqual([0, 0, 0, 0, 0]);
    }),
    { numRuns: times(60) },
  );
});
