import { expect, test } from "bun:test";
import { LiveOutput } from "../../../src/models/live-output.ts";
import type { Claim } from "../../../src/pool/claim.ts";
import type { OutputForm } from "../../../src/pool/job-spec.ts";
import type { RegisteredJob } from "../../../src/pool/jobs-registry.ts";

const FORM: OutputForm = { name: "chat", bytesPerUnit: 200 };

/** A running job, of which only what is looked at matters. */
function job(bytesOut: number, more: object = {}): RegisteredJob {
  const running = { claim: { model: "m" }, outputForm: FORM, bytesOut, isWaiting: false };
  return { ...running, ...more } as unknown as RegisteredJob;
}

function look(live: LiveOutput, ...jobs: readonly RegisteredJob[]): number {
  let sum = 0;
  live.look(jobs, (_claim, output) => {
    sum += output;
  });
  return sum;
}

test("each look adds what a stream has made since the one before, by the usual size of a unit at first", () => {
  const live = new LiveOutput();
  const claim = { model: "m" } as Claim; // as in `job`
  expect(look(live, job(2000, { claim }))).toBe(10);
  expect(look(live, job(2000, { claim }))).toBe(0);
  expect(look(live, job(5000, { claim }))).toBe(15);
  expect(live.total).toBe(25);
  expect(live.end(claim)).toBe(25);
  expect([live.end(claim), live.total]).toEqual([0, 0]);
});

test("the size of a unit is learned for each model and form from streams that state their output", () => {
  const live = new LiveOutput();
  live.learn("m", FORM, 10_000, 100);
  expect(look(live, job(1000))).toBe(10);
  expect(look(live, job(1000, { claim: { model: "other" } }))).toBe(5);
  expect(look(live, job(1000, { outputForm: { name: "messages", bytesPerUnit: 500 } }))).toBe(2);
  for (let count = 0; count < 30; count += 1) live.learn("m", FORM, 5000, 100);
  expect(look(live, job(1000))).toBeCloseTo(20, 1);
});

test("nothing is learned from a stream without output", () => {
  const live = new LiveOutput();
  live.learn("m", FORM, 10_000, 0);
  live.learn("m", FORM, 0, 10);
  expect(look(live, job(1000))).toBe(5);
});

test("what was counted of a stream is never taken back while it runs", () => {
  const live = new LiveOutput();
  const claim = { model: "m" } as Claim; // as in `job`
  expect(look(live, job(2000, { claim }))).toBe(10);
  live.learn("m", FORM, 10_000, 10);
  expect(look(live, job(3000, { claim }))).toBe(0);
});

test("jobs that wait, have no slot, or have no form add nothing", () => {
  const none = [{ isWaiting: true }, { claim: undefined }, { outputForm: undefined }];
  expect(look(new LiveOutput(), ...none.map((more) => job(1000, more)))).toBe(0);
});
