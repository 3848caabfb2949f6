import { expect, test } from "bun:test";
import { keepNewest, setNewest } from "../../../src/system/newest.ts";

test("of entries beyond the most, those that were added first are deleted", () => {
  const map = new Map([1, 2, 3, 4].map((key) => [key, true]));
  map.set(1, false);
  keepNewest(map, 2);
  expect([...map.keys()]).toEqual([3, 4]);
  keepNewest(map, 0);
  expect(map.size).toBe(0);
});

test("an entry that is set again is the newest", () => {
  const map = new Map<string, number>();
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["c", 4],
  ] as const)
    setNewest(map, key, value, 2);
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});
