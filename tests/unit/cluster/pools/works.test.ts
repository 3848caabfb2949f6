import { expect, test } from "bun:test";
import * as v from "valibot";
import { PeerWorks } from "../../../../src/cluster/pools/peer-works.ts";
import { type WorkMessage, workMessage } from "../../../../src/cluster/pools/work-message.ts";
import { WorkTeller } from "../../../../src/cluster/pools/work-teller.ts";
import type { Claim } from "../../../../src/pool/claim.ts";
import type { Work } from "../../../../src/pool/seat.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const DONE: Work = {
  outcome: "completed",
  error: undefined,
  runningMs: 120,
  firstByteMs: 50,
  usage: { input_tokens: 10, output_tokens: 5 },
  input: 8,
  output: 5,
  uncounted: 2,
};

function setUp() {
  const clock = new FakeClock();
  const messages: WorkMessage[] = [];
  const works: Work[] = [];
  const outputs: number[] = [];
  const counted: [Claim, Work][] = [];
  // The two members that are used.
  const claim = {
    count: (work: Work) => void works.push(work),
    progress: (output: number) => void outputs.push(output),
  } as Claim;
  const owner = new PeerWorks({ clock, onCounted: (...parts) => counted.push(parts) });
  const teller = new WorkTeller({
    name: "llm",
    clock,
    send: (_, message) => {
      const sent = v.parse(workMessage, JSON.parse(JSON.stringify(message)));
      messages.push(sent);
      owner.onNews("a", sent.jobs);
      return true;
    },
  });
  return { clock, teller, owner, claim, messages, works, outputs, counted };
}

test("what a job used is told after a quarter of a second, and counted once for its worker", () => {
  const { clock, teller, owner, claim, works, counted, messages } = setUp();
  const ref = teller.nextRef();
  owner.began("a", ref, claim);
  clock.advance(100);
  owner.ended("a", ref, { outcome: "completed", error: undefined });
  teller.count("b", ref, DONE);
  expect(works).toEqual([]);
  clock.advance(250);
  // The way to the worker's server and back took 20 ms.
  expect(works).toEqual([{ ...DONE, runningMs: 100, firstByteMs: 30 }]);
  expect(counted).toEqual([[claim, works[0] ?? DONE]]);
  expect(messages).toHaveLength(1);
  expect(owner.size).toBe(0);
  clock.advance(60_000);
  expect(works).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test("a report that comes before the end of the exchange waits for it", () => {
  const { clock, teller, owner, claim, works } = setUp();
  owner.began("a", 1, claim);
  teller.count("b", 1, { ...DONE, outcome: "canceled" });
  clock.advance(250);
  expect(works).toEqual([]);
  owner.ended("a", 1, { outcome: "canceled", error: undefined });
  expect(works).toMatchObject([{ outcome: "canceled", usage: { output_tokens: 5 } }]);
});

test("a job without a report is counted by what this server has seen of it", () => {
  const { clock, owner, claim, works } = setUp();
  owner.began("a", 1, claim);
  owner.began("a", 2, claim);
  clock.advance(40);
  owner.ended("a", 1, { outcome: "failed", error: "lost" });
  clock.advance(1000);
  owner.ended("a", 2, { outcome: "completed", error: undefined });
  clock.advance(4000);
  expect(works).toEqual([{ outcome: "failed", error: "lost", runningMs: 40, usage: undefined, output: 0 }]);
  clock.advance(1000);
  expect(works).toHaveLength(2);
  expect([owner.size, clock.pending]).toEqual([0, 0]);
});

test("output of running jobs is summed up and told for each", () => {
  const { clock, teller, owner, claim, outputs, messages } = setUp();
  owner.began("a", 7, claim);
  teller.progress("b", 7, 3);
  teller.progress("b", 7, 4);
  teller.progress("b", 8, 1);
  clock.advance(250);
  expect(outputs).toEqual([7]);
  expect(messages).toMatchObject([{ type: "work", pool: "llm", jobs: [{ ref: 7 }, { ref: 8 }] }]);
});

test("a refused job is not counted, and neither is one of another peer with its number", () => {
  const { clock, owner, claim, works } = setUp();
  owner.began("a", 1, claim);
  owner.ended("a", 1, undefined);
  owner.began("c", 2, claim);
  owner.onNews("a", [{ ref: 1, work: { outcome: "completed", running_ms: 1, output: 1 } }]);
  owner.onNews("a", [{ ref: 2, work: { outcome: "completed", running_ms: 1, output: 1 } }]);
  clock.advance(10_000);
  expect(works).toEqual([]);
  expect(owner.size).toBe(1);
});

test("a message holds at most 500 jobs", () => {
  const { clock, teller, messages } = setUp();
  for (let ref = 0; ref < 1200; ref += 1) teller.count("b", ref, DONE);
  clock.advance(250);
  expect(messages.map(({ jobs }) => jobs.length)).toEqual([500, 500, 200]);
});

test("a malformed report is ignored", () => {
  const job = { ref: 1, work: { outcome: "completed", running_ms: 1, output: 1 } };
  const read = (change: object): boolean => v.safeParse(workMessage, { type: "work", pool: "llm", ...change }).success;
  expect(read({ jobs: [job] })).toBe(true);
  for (const work of [
    { running_ms: -1 },
    { output: Number.NaN },
    { usage: { "__proto__ x": 1 } },
    { usage: { tokens: -1 } },
    { outcome: "great" },
    { error: "x".repeat(10_000) },
  ])
    expect([work, read({ jobs: [{ ...job, work: { ...job.work, ...work } }] })]).toEqual([work, false]);
  expect(read({ jobs: [{ ref: -1 }] })).toBe(false);
  expect(read({ jobs: Array.from({ length: 501 }, () => job) })).toBe(false);
});
