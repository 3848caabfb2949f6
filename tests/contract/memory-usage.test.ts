import { expect, test } from "bun:test";
import { MAX_MEMORY_ROWS, MemoryUsage } from "../../src/usage/memory-usage.ts";
import { STEP_MS } from "../../src/usage/usage-records.ts";
import { describeUsageRecords, usageCell } from "./usage-records.ts";

describeUsageRecords("usage in memory", () => ({ records: new MemoryUsage(), stop: () => {} }));

test("usage in memory is bounded: the oldest minutes are forgotten, and the sums of longer steps are not", () => {
  const records = new MemoryUsage();
  const keys = 10;
  const minutes = (MAX_MEMORY_ROWS / keys) * 1.5;
  for (let minute = 0; minute < minutes; minute += 1)
    records.add(Array.from({ length: keys }, (_, key) => usageCell(minute * STEP_MS.minute, `k${key}`)));
  const totals = (["minute", "day"] as const).map((step) => {
    const view = records.view({ step, from: 0, to: minutes * STEP_MS.minute });
    let [rows, requests] = [0, 0];
    for (let page = view.next(); page.length > 0; page = view.next()) {
      rows += page.length;
      for (const row of page) requests += row.requests;
    }
    return [rows, requests];
  });
  expect(totals[0]).toEqual([MAX_MEMORY_ROWS, MAX_MEMORY_ROWS]);
  expect(totals[1]?.[1]).toBe(keys * minutes);
});
