import { expect, test } from "bun:test";
import { ANONYMOUS, type CallerClass } from "../../../src/auth/caller.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { SchedulerSeries } from "../../../src/models/scheduler-series.ts";
import type { JobReport } from "../../../src/pool/job-spec.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { RouteReason } from "../../../src/pool/routing/route.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function report(jobClass: CallerClass, queuedMs: number, reason?: RouteReason): JobReport {
  const claim = reason === undefined ? undefined : ({ route: { reason } } as JobReport["claim"]); // what is looked at
  return { caller: ANONYMOUS, class: jobClass, queuedMs, claim } as JobReport; // as above
}

test("waits are counted by class, and workers by the reason for them, for jobs that reached one", async () => {
  const metrics = createMetrics("1");
  const series = new SchedulerSeries("llm", metrics);
  const clock = new FakeClock();
  series.register(new Pool({ clock, queueSize: 9, queueTimeoutMs: 1, modelGraceMs: 1, serverId: "s", name: "llm" }));
  series.count(report("normal", 2000, "prefix"));
  series.count(report("normal", 0, "prefix"));
  series.count(report("background", 40_000, "least_loaded"));
  series.count(report("normal", 9000));
  const text = await metrics.text();
  expect(text).toContain('moorage_class_wait_seconds_sum{plugin="llm",class="normal"} 2\n');
  expect(text).toContain('moorage_class_wait_seconds_count{plugin="llm",class="normal"} 2\n');
  expect(text).toContain('moorage_class_wait_seconds_sum{plugin="llm",class="background"} 40\n');
  expect(text).toContain('moorage_routes_total{plugin="llm",reason="prefix"} 2\n');
  expect(text).toContain('moorage_routes_total{plugin="llm",reason="least_loaded"} 1\n');
  expect(text).toContain('moorage_queue_waiting{plugin="llm",class="interactive"} 0\n');
  expect(text).toContain('moorage_queue_pushouts_total{plugin="llm",class="normal"} 0\n');
});
