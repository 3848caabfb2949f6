import { expect, test } from "bun:test";
import { MemoryUsage } from "../../../src/usage/memory-usage.ts";
import { UsageMeter } from "../../../src/usage/usage-meter.ts";
import type { UsageQuery } from "../../../src/usage/usage-query.ts";
import { UsageReader } from "../../../src/usage/usage-reader.ts";
import { periodOf, STEP_MS } from "../../../src/usage/usage-records.ts";
import { readSeries, type SeriesQuery } from "../../../src/usage/usage-series.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turn } from "../../support/turn.ts";

const used = {
  key: "k",
  model: "m",
  isFailed: false,
  inputTokens: 10,
  cachedTokens: 4,
  outputTokens: 2,
  waitMs: 0,
  heldMs: 0,
};

function setUp() {
  const clock = new FakeClock();
  const records = new MemoryUsage();
  const meter = new UsageMeter({ clock, records, flushMs: 1000 });
  const reader = new UsageReader({ clock, meter, records });
  const read = async (query: Partial<SeriesQuery> = {}) => {
    const parts = {
      now: clock.now(),
      read: async (query: UsageQuery) => ({ groups: await reader.read(query), missing: [] }),
      nameOfKey: (key: string) => (key === "a" ? "ada" : undefined),
      tenantOfKey: (key: string) => (key < "c" ? "early" : "late"),
    };
    const series = readSeries({ range: "24h", by: "key", rank: "tokens", top: 8, ...query }, parts);
    let isDone = false;
    void series.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      clock.advance(1);
      await turn();
    }
    return series;
  };
  return { clock, meter, read };
}

const sum = (values: readonly number[] = []): number => values.reduce((all, value) => all + value, 0);

test("the largest have series of their own, and the rest is added up", async () => {
  const { meter, read } = setUp();
  for (const [key, times] of [
    ["a", 3],
    ["b", 2],
    ["c", 1],
    ["d", 1],
  ] as const)
    for (let time = 0; time < times; time += 1) meter.add({ ...used, key });
  const { series, others } = await read({ top: 2 });
  expect(series.map(({ id, name, requests }) => [id, name, sum(requests)])).toEqual([
    ["a", "ada", 3],
    ["b", "b", 2],
    [null, "(other)", 2],
  ]);
  expect(others).toBe(2);
  expect(series.map(({ input_tokens }) => sum(input_tokens))).toEqual([30, 20, 20]);
});

test.each([
  ["24h", 144, 600],
  ["30d", 180, 14_400],
  ["12mo", 365, 86_400],
] as const)("%s has %d periods of %d s, the last of which is now", async (range, periods, periodS) => {
  const { clock, meter, read } = setUp();
  meter.add(used);
  const { series, from, period_s } = await read({ range });
  expect(period_s).toBe(periodS);
  expect(series[0]?.requests).toHaveLength(periods);
  expect(series[0]?.requests.at(-1)).toBe(1);
  expect(Date.parse(from) + periods * periodS * 1000).toBeGreaterThan(clock.now());
  expect(Date.parse(from) % (periodS * 1000)).toBe(0);
});

test("usage is in the period in which it ended, and in none if it is too old", async () => {
  const { clock, meter, read } = setUp();
  meter.add(used);
  clock.advance(2 * STEP_MS.hour);
  meter.add(used);
  const { series } = await read();
  const places = series[0]?.requests.flatMap((requests, at) => (requests > 0 ? [at] : []));
  expect(places).toEqual([131, 143]);
  clock.advance(23 * STEP_MS.hour);
  expect(sum((await read()).series[0]?.requests)).toBe(1);
});

test("tenants add up their keys", async () => {
  const { meter, read } = setUp();
  for (const key of ["a", "b", "c"]) meter.add({ ...used, key });
  const { series, others } = await read({ by: "tenant" });
  expect(series.map(({ id, requests }) => [id, sum(requests)])).toEqual([
    ["early", 2],
    ["late", 1],
  ]);
  expect(others).toBe(0);
  const { series: top } = await read({ by: "tenant", top: 1 });
  expect(top.map(({ id, requests }) => [id, sum(requests)])).toEqual([
    ["early", 2],
    [null, 1],
  ]);
});

test("the order is by what is asked for", async () => {
  const { meter, read } = setUp();
  meter.add({ ...used, model: "chat" });
  for (let time = 0; time < 3; time += 1)
    meter.add({ ...used, model: "speech", inputTokens: 0, outputTokens: 0, audioSeconds: 90 });
  const first = async (query: Partial<SeriesQuery>) => (await read({ by: "model", ...query })).series[0];
  expect((await first({ rank: "tokens" }))?.id).toBe("chat");
  expect((await first({ rank: "requests" }))?.id).toBe("speech");
  expect(sum((await first({ rank: "audio_seconds" }))?.audio_seconds)).toBe(270);
});

test("a server without usage has no series", async () => {
  const { read } = setUp();
  expect(await read()).toMatchObject({ series: [], others: 0 });
});

test("the sums of all series are those of the usage, whatever is asked for", async () => {
  const { clock, meter, read } = setUp();
  for (let hour = 0; hour < 20; hour += 1) {
    for (let key = 0; key < 12; key += 1) meter.add({ ...used, key: `k${key}`, model: `m${key % 3}` });
    clock.advance(STEP_MS.hour);
  }
  expect(periodOf(clock.now(), "hour")).toBeGreaterThan(0);
  for (const by of ["key", "model", "tenant"] as const)
    for (const range of ["24h", "30d", "12mo"] as const)
      for (const top of [1, 5, 20]) {
        const { series } = await read({ by, range, top });
        expect(sum(series.map(({ input_tokens }) => sum(input_tokens)))).toBe(20 * 12 * 10);
        expect(sum(series.map(({ cached_tokens }) => sum(cached_tokens)))).toBe(20 * 12 * 4);
      }
});
