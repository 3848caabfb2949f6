import { expect, test } from "bun:test";
import fc from "fast-check";
import { Cell } from "../../../src/usage/live-cells.ts";
import { MemoryUsage } from "../../../src/usage/memory-usage.ts";
import type { Group } from "../../../src/usage/usage-groups.ts";
import { UsageMeter } from "../../../src/usage/usage-meter.ts";
import { DIMENSIONS, type UsageQuery } from "../../../src/usage/usage-query.ts";
import { MAX_GROUPS, UsageReader } from "../../../src/usage/usage-reader.ts";
import { periodOf, STEP_MS } from "../../../src/usage/usage-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turn } from "../../support/turn.ts";

function setUp() {
  const clock = new FakeClock();
  const records = new MemoryUsage();
  const meter = new UsageMeter({ clock, records, flushMs: 1000 });
  const reader = new UsageReader({ clock, meter, records });
  const startedAt = periodOf(clock.now(), "day");
  const query = (more: Partial<UsageQuery> = {}): UsageQuery => ({
    from: startedAt,
    to: startedAt + 3 * STEP_MS.day,
    step: "hour",
    by: ["key", "model"],
    ...more,
  });
  /** Reads while the clock goes on. */
  const read = async (more: Partial<UsageQuery> = {}): Promise<Group[]> => {
    const groups = reader.read(query(more));
    let isDone = false;
    void groups
      .catch(() => {})
      .finally(() => {
        isDone = true;
      });
    while (!isDone) {
      clock.advance(1);
      await turn();
    }
    return [...(await groups).sorted()];
  };
  return { clock, meter, reader, read, query };
}

const used = { key: "k", model: "m", isFailed: false, inputTokens: 10, outputTokens: 2, waitMs: 0, heldMs: 0 };

test("an answer holds what is written and what is not, each once, although it is written meanwhile", async () => {
  const { clock, meter, read } = setUp();
  for (let key = 0; key < 1500; key += 1) meter.add({ ...used, key: `k${key}` });
  clock.advance(1000);
  for (let key = 0; key < 1500; key += 1) meter.add({ ...used, key: `k${key}` });
  clock.advance(999);
  const groups = await read();
  expect(groups).toHaveLength(1500);
  expect(groups.every(({ requests, input }) => requests === 2 && input === 20)).toBe(true);
});

const jobs = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3 * STEP_MS.hour }),
    key: fc.constantFrom("a", "b", "c"),
    model: fc.constantFrom("m", "n"),
    endUser: fc.constantFrom(undefined, "u", "v"),
    isFailed: fc.boolean(),
    inputTokens: fc.nat(5000),
    cachedTokens: fc.nat(500),
    outputTokens: fc.nat(900),
    audioSeconds: fc.nat(90),
    isEstimated: fc.boolean(),
    waitMs: fc.nat(900),
    heldMs: fc.nat(9000),
  }),
  { maxLength: 40 },
);

test("sums are the same at every grouping and every step", async () => {
  await fc.assert(
    fc.asyncProperty(jobs, async (all) => {
      const { clock, meter, read } = setUp();
      for (const { afterMs, ...job } of all) {
        clock.advance(afterMs);
        meter.add(job);
      }
      const totals = new Set<string>();
      for (const step of ["hour", "day"] as const) {
        for (const by of [[], ["key"], ["model"], ["key", "model"], ["end_user"], DIMENSIONS] as const) {
          const groups = await read({ step, by, to: periodOf(clock.now(), "day") + STEP_MS.day });
          const sum = (amount: (group: Group) => number): number => groups.reduce((all, each) => all + amount(each), 0);
          totals.add(
            JSON.stringify([
              sum(({ requests }) => requests),
              sum(({ failures }) => failures),
              sum(({ input }) => input),
              sum(({ cached }) => cached),
              sum(({ output }) => output),
              sum(({ audioMs }) => audioMs),
              sum(({ waitMs }) => waitMs),
              sum(({ heldMs }) => heldMs),
              sum(({ estimated }) => estimated),
            ]),
          );
        }
      }
      expect([...totals]).toHaveLength(1);
      expect(JSON.parse([...totals][0] ?? "[]")[0]).toBe(all.length);
    }),
    { numRuns: 30 },
  );
});

test("an answer can be about one key, one model or one end user, and is sorted", async () => {
  const { meter, read } = setUp();
  for (const key of ["b", "a"])
    for (const model of ["n", "m"]) meter.add({ ...used, key, model, endUser: `${key}-user` });
  expect((await read({ key: "a" })).map(({ key, model }) => [key, model])).toEqual([
    ["a", "m"],
    ["a", "n"],
  ]);
  expect(await read({ model: "n", by: [] })).toMatchObject([{ requests: 2 }]);
  expect(await read({ endUser: "b-user", by: ["end_user"] })).toMatchObject([{ endUser: "b-user", requests: 2 }]);
});

test("an answer of too many rows is refused, with what to do", async () => {
  const { clock, query } = setUp();
  const at = query().from;
  const cells = Array.from(
    { length: MAX_GROUPS + 1 },
    (_, key) => new Cell(at, { key: `k${key}`, model: "m", endUser: "" }),
  );
  const reader = new UsageReader({ clock, meter: { unwritten: () => cells }, records: new MemoryUsage() });
  await expect(reader.read(query())).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("more than 50,000 rows. Choose a larger step"),
  });
  expect((await reader.read(query({ by: ["model"] }))).size).toBe(1);
});

test("only so many questions wait for their turn", async () => {
  const { reader, query } = setUp();
  for (let index = 0; index < 20; index += 1) void reader.read(query());
  await expect(reader.read(query())).rejects.toMatchObject({ code: "too_many_requests", retryAfterS: 2 });
});
