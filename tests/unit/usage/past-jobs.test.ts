import { expect, test } from "bun:test";
import { createFailedJobRows } from "../../../src/store/failed-job-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { PastJob } from "../../../src/usage/past-job.ts";
import { type FailedJobRecords, MAX_FAILED, MAX_RECENT, PastJobs } from "../../../src/usage/past-jobs.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

function job(id: string, outcome: PastJob["outcome"] = "failed"): PastJob {
  return {
    id,
    endedAt: 5,
    plugin: "llm",
    caller: "api-key:1",
    key: "api-key:1",
    model: "m",
    outcome,
    isEstimated: false,
    waitMs: 1,
    heldMs: 2,
    ...(outcome === "failed" && { reason: "worker_lost", worker: "w", status: 502 }),
  };
}

test("the last requests are remembered, the newest first, and those that failed longer than others", () => {
  const jobs = new PastJobs({ clock: new FakeClock(), records: undefined, flushMs: 1000 });
  jobs.add(job("f"));
  for (let index = 0; index < MAX_RECENT; index += 1) jobs.add(job(`c${index}`, "completed"));
  jobs.add(job("x", "canceled"));
  expect(jobs.recent()).toHaveLength(MAX_RECENT);
  expect(
    jobs
      .recent()
      .slice(0, 2)
      .map(({ id }) => id),
  ).toEqual(["x", `c${MAX_RECENT - 1}`]);
  expect(jobs.recent().at(-1)?.id).toBe("c1");
  expect(jobs.failed()).toEqual([job("f")]);
});

test("failed requests are there when the store is opened again, up to their number", () => {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const open = () => openStore(directory.path, { clock, log: silentLog });
  const first = open();
  const jobs = new PastJobs({ clock, records: createFailedJobRows(first), flushMs: 1000 });
  jobs.add(job("before"));
  clock.advance(1000);
  for (let index = 0; index < MAX_FAILED; index += 1) jobs.add(job(`f${index}`));
  jobs.add(job("c", "completed"));
  jobs.close();
  jobs.add(job("after the end"));
  expect(clock.pending).toBe(0);
  first.close();
  const second = open();
  const again = new PastJobs({ clock, records: createFailedJobRows(second), flushMs: 1000 });
  expect(again.failed()).toHaveLength(MAX_FAILED);
  expect(again.failed()[0]).toEqual(job("after the end"));
  expect(again.failed().at(-1)?.id).toBe("f1");
  second.close();
  directory.remove();
});

test("failed requests that cannot be written are written later, and what waits is bounded", () => {
  const clock = new FakeClock();
  const written: (readonly PastJob[])[] = [];
  let isBroken = true;
  const records: FailedJobRecords = {
    load: () => [],
    add(added) {
      if (!isBroken) written.push(added);
      return !isBroken;
    },
  };
  const jobs = new PastJobs({ clock, records, flushMs: 1000 });
  for (let index = 0; index < 2 * MAX_FAILED; index += 1) jobs.add(job(`f${index}`));
  clock.advance(5000);
  isBroken = false;
  clock.advance(1000);
  expect(written.map((each) => [each.length, each[0]?.id])).toEqual([[MAX_FAILED, `f${MAX_FAILED}`]]);
  expect(clock.pending).toBe(0);
});
