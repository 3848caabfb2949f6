import { describe, expect, test } from "bun:test";
import { createCaller } from "../../../src/auth/caller.ts";
import { type CallerJobs, countForCaller, toCallerStates, toWaitingCallers } from "../../../src/models/caller-state.ts";
import type { RegisteredJob } from "../../../src/pool/jobs-registry.ts";

const NOW = 60_000;

function count(jobs: readonly (readonly [caller: string, isWaiting: boolean, startedAt: number])[]) {
  const byCaller = new Map<string, CallerJobs>();
  for (const [name, isWaiting, startedAt] of jobs) {
    const ticket = { caller: createCaller(name), class: "normal", endUser: undefined, arrivedAt: startedAt };
    const job = { ticket, isWaiting } as RegisteredJob; // the fields that are counted
    countForCaller(byCaller, job, NOW);
  }
  return byCaller;
}

describe("the callers of a pool", () => {
  test("are listed with their waiting and running jobs and the longest wait, those who wait most first", () => {
    const byCaller = count([
      ["api-key:1", false, 10_000],
      ["api-key:2", true, 20_000],
      ["api-key:1", true, 30_000],
      ["api-key:2", true, 50_000],
      ["role:reader", false, 55_000],
    ]);
    expect(toCallerStates(byCaller)).toEqual([
      { name: "api-key:2", class: "normal", waiting: 2, running: 0, oldest_wait_ms: 40_000 },
      { name: "api-key:1", class: "normal", waiting: 1, running: 1, oldest_wait_ms: 30_000 },
      { name: "role:reader", class: "normal", waiting: 0, running: 1, oldest_wait_ms: null },
    ]);
  });

  test("are summed up as (other) beyond twenty", () => {
    const jobs = Array.from({ length: 5000 }, (_, at) => [`api-key:${at}`, at % 2 === 0, at] as const);
    const states = toCallerStates(count(jobs));
    expect(states).toHaveLength(21);
    expect(states.at(-1)).toEqual({
      name: "(other)",
      class: null,
      waiting: 2480,
      running: 2500,
      oldest_wait_ms: expect.any(Number),
    } as unknown as (typeof states)[number]); // An asymmetric matcher stands for one number.
    const all = states.reduce((sum, { waiting, running }) => sum + waiting + running, 0);
    expect(all).toBe(5000);
  });

  test("that wait for one model are named up to three", () => {
    expect(toWaitingCallers(undefined)).toEqual([]);
    const waitingBy = new Map([
      ["a", 1],
      ["b", 7],
      ["c", 2],
      ["d", 1],
      ["e", 3],
    ]);
    expect(toWaitingCallers(waitingBy)).toEqual([
      { caller: "b", waiting: 7 },
      { caller: "e", waiting: 3 },
      { caller: "c", waiting: 2 },
      { caller: "(other)", waiting: 2 },
    ]);
  });
});
