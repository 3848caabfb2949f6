import { expect, test } from "bun:test";
import { MemoryCalls } from "../../src/calls/memory-calls.ts";
import { describeCallRecords, pastCall } from "./call-records.ts";

describeCallRecords("calls in memory", () => ({ records: new MemoryCalls(), stop: () => {} }));

test("calls in memory lose the arguments of older calls before these take too much room", () => {
  const records = new MemoryCalls();
  for (let id = 1; id <= 3000; id += 1) records.add([pastCall(id, { arguments: "x".repeat(4096) })]);
  const calls = [3001, 2001, 1001].flatMap((before) => records.look({}, before, 5000).calls);
  expect(calls).toHaveLength(3000);
  const chars = calls.reduce((sum, { arguments: given }) => sum + (given?.length ?? 0), 0);
  expect(chars).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(calls[0]?.arguments).toHaveLength(4096);
});
