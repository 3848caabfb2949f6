import { expect, test } from "bun:test";
import { FunctionCounts, medianMs } from "../../../../src/plugins/mcp/function-counts.ts";

const took = (durationMs: number, outcome: "completed" | "failed" | "canceled" = "completed") => ({
  outcome,
  durationMs,
});

test("calls, failures and times are counted per function", () => {
  const counts = new FunctionCounts();
  for (const ms of [10, 30, 20]) counts.add("search", took(ms));
  counts.add("search", took(100, "failed"));
  counts.add("search", took(9999, "canceled"));
  counts.add("echo", took(1));
  const [search, echo] = [...counts.all()];
  expect(search).toMatchObject({ name: "search", calls: 5, failures: 1, lastMs: 100, totalMs: 160, timed: 4 });
  expect(search && medianMs(search)).toBe(30);
  expect(echo).toMatchObject({ name: "echo", calls: 1 });
});

test("the median is of the last 32 calls", () => {
  const counts = new FunctionCounts();
  for (let call = 0; call < 100; call += 1) counts.add("f", took(call < 68 ? 1 : 5));
  const [f] = [...counts.all()];
  expect(f?.recentMs).toHaveLength(32);
  expect(f && medianMs(f)).toBe(5);
});

test("a function whose calls were all cancelled has no times", () => {
  const counts = new FunctionCounts();
  counts.add("f", took(5, "canceled"));
  const [f] = [...counts.all()];
  expect(f).toMatchObject({ calls: 1, lastMs: undefined, timed: 0 });
  expect(f && medianMs(f)).toBeUndefined();
});

test("64 functions are counted by name, and the rest together", () => {
  const counts = new FunctionCounts();
  for (let name = 0; name < 1000; name += 1) counts.add(`f${name}`, took(1));
  const all = [...counts.all()];
  expect(all).toHaveLength(65);
  expect(all.at(-1)).toMatchObject({ name: "other", calls: 936 });
  counts.add("f3", took(1));
  expect(all[3]).toMatchObject({ name: "f3", calls: 2 });
});

test("names of functions that do not exist take no places from those that do", () => {
  const counts = new FunctionCounts();
  counts.add("search", took(1));
  counts.add("always broken", took(1, "failed"));
  for (let name = 0; name < 1000; name += 1) {
    counts.add(`junk${name}`, took(1, "failed"));
    counts.add("always broken", took(1, "failed"));
  }
  counts.add("echo", took(1));
  const all = [...counts.all()];
  expect(all).toHaveLength(65);
  const names = all.map(({ name }) => name);
  for (const name of ["search", "echo", "always broken", "other"]) expect(names).toContain(name);
  expect(all.reduce((sum, { calls }) => sum + calls, 0)).toBe(2003);
  expect(all.at(-1)).toMatchObject({ name: "other", calls: 939, failures: 939 });
});

test("a function's name is shown without control characters and shortened", () => {
  const counts = new FunctionCounts();
  counts.add("\u001b[2Jse\u202earch\n\ud800", took(1));
  counts.add("x".repeat(5000), took(1));
  counts.add("\u0000", took(1));
  expect([...counts.all()].map(({ name }) => name)).toEqual(["[2Jsearch", "x".repeat(128), "other"]);
});
