import { expect, test } from "bun:test";
import type { PeerReadings } from "../../../src/plugin/peer-readings.ts";
import { AllUsage } from "../../../src/usage/all-usage.ts";
import { EndedUsage } from "../../../src/usage/ended-usage.ts";
import type { PastJob } from "../../../src/usage/past-job.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const job = (endedAt: number): PastJob => ({
  id: `job-${endedAt}`,
  endedAt,
  plugin: "llm",
  caller: "api-key:1",
  key: "api-key:1",
  model: "m",
  outcome: "completed",
  isEstimated: false,
  waitMs: 1,
  heldMs: 2,
});

/** A server whose peers send these lines. */
function setUp(answers: Readonly<Record<string, readonly unknown[]>>) {
  const clock = new FakeClock();
  const usage = new EndedUsage({ clock, flushMs: 1000 });
  const asked: unknown[] = [];
  const handlers = new Map<string, Parameters<PeerReadings["answer"]>[1]>();
  const readings: PeerReadings = {
    serverId: "a",
    answer: (name, read) => void handlers.set(name, read),
    ask(_, question) {
      asked.push(question);
      return Promise.resolve({ answers: new Map(Object.entries(answers)), missing: ["d"] });
    },
  };
  return { all: new AllUsage({ clock, usage, readings }), usage, asked, handlers };
}

test("other servers are asked for one ended request more than is returned, and send no more", async () => {
  const { all, asked, usage, handlers } = setUp({ b: [job(9), job(8)], c: [job(7)] });
  const { jobs, hasMore, missing } = await all.jobs(true, 2);
  expect(jobs.map(({ server, job: { id } }) => `${server} ${id}`)).toEqual(["b job-9", "b job-8"]);
  expect([hasMore, missing, asked]).toEqual([true, ["d"], [{ is_failed: true, limit: 3 }]]);
  for (let at = 0; at < 10; at += 1) usage.jobs.add(job(at));
  const answer = await handlers.get("jobs")?.({ is_failed: false, limit: 3 });
  expect([...(answer ?? [])].map((line): unknown => JSON.parse(line))).toEqual([job(9), job(8), job(7)]);
});

test("a server of which some ended requests cannot be read is named", async () => {
  const { all } = setUp({ b: [job(9)], c: [{ ...job(8), outcome: "postponed" }, job(7)] });
  const { jobs, missing } = await all.jobs(false, 10);
  expect(jobs.map(({ job: { id } }) => id)).toEqual(["job-9", "job-7"]);
  expect(missing).toEqual(["d", "c"]);
});
