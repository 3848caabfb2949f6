import { describe, expect, test } from "bun:test";
import { COLUMNS, type Sample } from "../../../src/state/history.ts";
import { sumOfHistories } from "../../../src/state/history-sum.ts";

const sample = (at: number, more: Partial<Sample> = {}): Sample => ({
  ...(Object.fromEntries(COLUMNS.map((column) => [column, 0])) as unknown as Sample), // COLUMNS has every column
  at,
  ...more,
});
const history = (ats: readonly number[], slots: number, requests = 1): readonly Sample[] =>
  ats.map((at) => sample(at, { slots_total: slots, requests }));

const of = (column: "slots_total" | "requests", histories: readonly (readonly Sample[])[]) =>
  sumOfHistories(histories).map((each) => each[column]);

describe("the history of all servers", () => {
  test("is their sum in each second, whatever moment their seconds begin at", () => {
    const sums = [history([1000, 2000, 3000], 4), history([1300, 2300, 3300], 8)];
    expect(of("slots_total", sums)).toEqual([12, 12, 12]);
    expect(of("requests", sums)).toEqual([2, 2, 2]);
  });

  test("loses no event and shows no gap when the beats of a server come late", () => {
    const sums = [history([1000, 2000, 3000, 4000, 5000], 4), history([1000, 2900, 3100, 4000, 5000], 8)];
    expect(of("slots_total", sums)).toEqual([12, 12, 12, 12, 12]);
    expect(of("requests", sums)).toEqual([2, 1, 3, 2, 2]);
  });

  test("ends at the last second that all servers have told of, and goes on without a dead one", () => {
    expect(of("slots_total", [history([1000, 2000, 3000], 4), history([1000, 2000], 8)])).toEqual([12, 12]);
    const dead = [history([1000, 2000, 3000, 4000, 5000, 6000, 7000], 4), history([1000, 2000], 8)];
    expect(of("slots_total", dead)).toEqual([12, 12, 12, 12, 12, 4, 4]);
  });

  test("begins with the first server, and is empty for none", () => {
    expect(of("slots_total", [history([3000, 4000], 4), history([1000, 2000, 3000, 4000], 8)])).toEqual([8, 8, 12, 12]);
    expect(sumOfHistories([[], []])).toEqual([]);
  });

  test("is of the last quarter of an hour, however long ago a server has died", () => {
    const now = 500_000_000;
    const sums = sumOfHistories([history([now - 1000, now], 4), history([1000], 8)]);
    expect(sums.map(({ slots_total }) => slots_total)).toEqual([4, 4]);
  });
});
