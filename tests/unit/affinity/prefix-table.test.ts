import { describe, expect, test } from "bun:test";
import { PrefixTable } from "../../../src/affinity/prefix-table.ts";

const MINUTE = 60_000;
const hashOf = (name: string | number): bigint => Bun.hash.xxHash64(String(name));

function sessionsOf(table: PrefixTable, hash: bigint, now: number): number[] {
  const found = new Uint32Array(4);
  return [...found.subarray(0, table.find(hash, now, found))];
}

describe("the table of prefixes", () => {
  test("a hash remembers the four sessions that met it last, the newest first", () => {
    const table = new PrefixTable(10, 10 * MINUTE);
    for (const ref of [1, 2, 3, 4, 5]) table.learn(hashOf("a"), ref, 1000);
    expect(sessionsOf(table, hashOf("a"), 2000)).toEqual([5, 4, 3, 2]);
    table.learn(hashOf("a"), 3, 2000);
    expect(sessionsOf(table, hashOf("a"), 2000)).toEqual([3, 5, 4, 2]);
    expect(sessionsOf(table, hashOf("b"), 2000)).toEqual([]);
  });

  test("a session is forgotten ten minutes after it met a hash last", () => {
    const table = new PrefixTable(10, 10 * MINUTE);
    table.learn(hashOf("a"), 1, 0);
    table.learn(hashOf("a"), 2, 5 * MINUTE);
    expect(sessionsOf(table, hashOf("a"), 10 * MINUTE)).toEqual([2, 1]);
    expect(sessionsOf(table, hashOf("a"), 11 * MINUTE)).toEqual([2]);
    expect(sessionsOf(table, hashOf("a"), 16 * MINUTE)).toEqual([]);
  });

  test("a full table forgets the hash that was not taught for longest, as a model of it does", () => {
    const table = new PrefixTable(100, 10 * MINUTE);
    const model = new Map<number, number[]>();
    let random = 1;
    for (let step = 0; step < 20_000; step += 1) {
      random = (random * 48_271) % 2_147_483_647;
      const name = random % 250;
      const ref = 1 + (random % 7);
      table.learn(hashOf(name), ref, step);
      const sessions = model.get(name) ?? [];
      model.delete(name);
      model.set(name, [ref, ...sessions.filter((each) => each !== ref)].slice(0, 4));
      for (const oldest of model.keys()) if (model.size > 100) model.delete(oldest);
    }
    for (let name = 0; name < 250; name += 1)
      expect(sessionsOf(table, hashOf(name), 20_000)).toEqual(model.get(name) ?? []);
  });

  test("hashes that differ in one half only are different hashes", () => {
    const table = new PrefixTable(10, MINUTE);
    const pairs = [1n, 1n + (1n << 32n), 1n + (1n << 63n), 1n << 32n, 0n];
    for (const [at, hash] of pairs.entries()) table.learn(hash, at + 1, 0);
    expect(pairs.map((hash) => sessionsOf(table, hash, 0))).toEqual([[1], [2], [3], [4], [5]]);
  });

  test("50,000 hashes take less than 8 MB, however many come, and nothing is allocated before the first", () => {
    const table = new PrefixTable(50_000, 10 * MINUTE);
    expect([table.size, table.bytes]).toEqual([0, 0]);
    for (let at = 0; at < 120_000; at += 1) table.learn(hashOf(at), (at % 40) + 1, at);
    expect(table.size).toBe(50_000);
    expect(table.bytes).toBeLessThan(8 * 1024 * 1024);
    expect(sessionsOf(table, hashOf(119_999), 120_000)).toEqual([(119_999 % 40) + 1]);
    expect(sessionsOf(table, hashOf(1), 120_000)).toEqual([]);
  });
});
