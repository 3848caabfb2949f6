import { expect, test } from "bun:test";
import type { HistoryState, Sample } from "../../../../src/state/history.ts";
import { History, perSecond } from "../../../../views/client/history.ts";
import { sampleOf } from "../../../support/sample-of.ts";

const sample = (at: number, more: Partial<Sample> = {}): Sample =>
  sampleOf({ at, workers_idle: 1, slots_total: 4, requests: 2, ...more });

test("seconds without an envelope repeat the one before, without its events", () => {
  const history = new History();
  history.add(sample(1000, { slots_used: 3 }));
  history.add(sample(4000));
  history.add(sample(4000));
  expect(history.samples.map(({ at, slots_used, requests }) => [at, slots_used, requests])).toEqual([
    [1000, 3, 2],
    [2000, 3, 0],
    [3000, 3, 0],
    [4000, 0, 2],
  ]);
});

test("the server's history comes before what the page saw, up to a bound", () => {
  const history = new History(3);
  history.add(sample(4000));
  const columns = Object.fromEntries(
    Object.keys(sample(0)).map((name) => [name, [1000, 2000, 3000].map((at) => (name === "at" ? at : 7))]),
  );
  // The columns are the fields of a sample.
  history.load({ interval_ms: 1000, capacity: 900, samples: columns as unknown as HistoryState["samples"] });
  expect(history.samples.map(({ at, requests }) => [at, requests])).toEqual([
    [2000, 7],
    [3000, 7],
    [4000, 2],
  ]);
});

test("a gap longer than the kept history costs no more than that", () => {
  const history = new History(10);
  history.add(sample(0));
  history.add(sample(86_400_000));
  expect(history.samples).toHaveLength(10);
});

test("a rate is the average over the last seconds", () => {
  const samples = [sample(1000, { requests: 100 }), sample(2000), sample(3000)];
  expect(perSecond(samples, "requests", 2)).toBe(2);
  expect(perSecond([], "requests", 10)).toBe(0);
});
