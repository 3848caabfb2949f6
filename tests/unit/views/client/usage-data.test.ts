import { expect, test } from "bun:test";
import type { Series, UsageSeries } from "../../../../src/usage/series-view.ts";
import {
  amountText,
  csvOf,
  estimateText,
  missingText,
  periodAt,
  periodsOf,
  stacked,
  timesOf,
  totalsOf,
  untilEnd,
  valuesOf,
} from "../../../../views/client/usage-data.ts";

const series = (id: string | null, name: string, input: readonly number[], more: Partial<Series> = {}): Series => ({
  id,
  name,
  requests: input.map((tokens) => (tokens > 0 ? 1 : 0)),
  failures: input.map(() => 0),
  input_tokens: input,
  cached_tokens: input.map(() => 0),
  output_tokens: input.map((tokens) => tokens / 2),
  audio_seconds: input.map(() => 0),
  estimated: input.map(() => 0),
  ...more,
});

const USAGE: UsageSeries = {
  range: "24h",
  by: "key",
  from: "2026-11-27T00:00:00.000Z",
  to: "2026-11-27T00:25:00.000Z",
  period_s: 600,
  series: [series("a", "ada", [40, 0, 20]), series("b", "=cmd()", [0, 0, 20]), series(null, "(other)", [20, 0, 0])],
  others: 2,
  missing_servers: [],
};

test("a measure is the sum of its figures", () => {
  const [first] = USAGE.series;
  if (!first) throw new Error("no series");
  expect(valuesOf(first, "tokens")).toEqual([60, 0, 30]);
  expect(valuesOf(first, "output")).toEqual([20, 0, 10]);
  expect(valuesOf(first, "requests")).toEqual([1, 0, 1]);
});

test("the table has the totals with their shares, and names how many others there are", () => {
  expect(totalsOf(USAGE, "tokens").map(({ name, input, share }) => [name, input, share])).toEqual([
    ["ada", 60, 0.6],
    ["=cmd()", 20, 0.2],
    ["2 other keys", 20, 0.2],
  ]);
  expect(totalsOf({ ...USAGE, others: 1, by: "model" }, "audio").at(-1)).toMatchObject({
    name: "1 other model",
    share: 0,
  });
});

test("areas are stacked: each is the sum of itself and those after it", () => {
  expect(
    stacked([
      [1, 2],
      [10, 20],
      [100, 200],
    ]),
  ).toEqual([
    [111, 222],
    [110, 220],
    [100, 200],
  ]);
  expect(stacked([])).toEqual([]);
});

test("periods are listed by time, the newest first and without those in which nothing was used", () => {
  const lists = USAGE.series.map((each) => valuesOf(each, "input"));
  const start = Date.parse(USAGE.from) / 1000;
  expect(periodsOf(timesOf(USAGE), lists, (seconds) => `${seconds - start} s`)).toEqual([
    { at: start + 1200, time: "1200 s", total: 40, values: [20, 20, 0] },
    { at: start, time: "0 s", total: 60, values: [40, 0, 20] },
  ]);
});

test("the CSV has what is shown, and a name that a spreadsheet would run has an apostrophe before it", () => {
  const lines = csvOf(USAGE, (at) => at < 2).split("\r\n");
  expect(lines).toEqual([
    "at,key,key_name,requests,failures,input_tokens,cached_tokens,output_tokens,audio_seconds,estimated",
    "2026-11-27T00:00:00.000Z,a,ada,1,0,40,0,20,0,0",
    "2026-11-27T00:20:00.000Z,a,ada,1,0,20,0,10,0,0",
    "2026-11-27T00:20:00.000Z,b,'=cmd(),1,0,20,0,10,0,0",
    "",
  ]);
  const quoted = { ...USAGE, by: "model" as const, series: [series("m", 'a "b", c', [2])] };
  expect(csvOf(quoted, () => true)).toContain('Z,"a ""b"", c",1,0,2,');
});

test("the page says which part of the tokens is an estimate", () => {
  expect(estimateText(USAGE)).toBe("");
  const estimated = { ...USAGE, series: [series("a", "ada", [100], { estimated: [75] })] };
  expect(estimateText(estimated)).toStartWith("50 % of the tokens are estimates");
  expect(totalsOf(estimated, "tokens")[0]?.estimated).toBe(0.5);
});

test("the page names servers whose usage is missing", () => {
  expect(missingText(USAGE)).toBe("");
  expect(missingText({ ...USAGE, missing_servers: ["b", "c"] })).toBe("Usage at server b, c is missing: no answer.");
});

test("amounts have the unit of their measure", () => {
  expect(amountText("tokens", 1_200_000)).toBe("1.2 M");
  expect(amountText("audio", 5400)).toBe("1 h 30 min");
  expect(amountText("audio", 0)).toBe("0");
});

test("the plot goes on to the end of the last period, in which the newest requests are", () => {
  expect(
    untilEnd(
      [0, 3600, 7200],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ),
  ).toEqual([
    [0, 3600, 7200, 10_800],
    [1, 2, 3, 3],
    [4, 5, 6, 6],
  ]);
  expect(untilEnd([], [])).toEqual([[]]);
});

test("a time belongs to the period that it is in, and not to the nearest beginning", () => {
  const times = [0, 3600, 7200];
  expect([-1, 0, 3599, 3600, 7200, 10_799, 20_000].map((at) => periodAt(times, at))).toEqual([0, 0, 0, 1, 2, 2, 2]);
});
