import { expect, test } from "bun:test";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { Ledger } from "../../../src/models/ledger.ts";
import type { JobReport } from "../../../src/pool/job-spec.ts";
import { RoutedPool } from "../../support/routed-pool.ts";

function setUp() {
  const rig = new RoutedPool();
  const ledger = new Ledger({
    pluginId: "llm",
    clock: rig.clock,
    metrics: createMetrics("tested"),
    knownModels: () => rig.pool.models.known(),
  });
  const start = (): void => void rig.start((report: JobReport) => ledger.countPart(report, undefined));
  return { rig, start };
}

test("each attempt counts for its own worker, with the time that this worker had the job", () => {
  const { rig, start } = setUp();
  const [bad, good] = [rig.join("bad", 1), rig.join("good", 1)];
  start();
  rig.clock.advance(300);
  bad.exchanges[0]?.breakOff("upstream_error");
  rig.clock.advance(1000);
  good.exchanges[0]?.head({ status: 200, headers: [] });
  good.exchanges[0]?.end();
  const totalsOf = (workerId: string) => rig.pool.seatOf(workerId)?.totals;
  expect(totalsOf("bad")).toMatchObject({ processed: 0, failures: 1, lastError: "upstream_error" });
  expect(totalsOf("good")).toMatchObject({ processed: 1, failures: 0, processingMs: 1000 });
});

test("a job that ends while it waits for another worker counts once for the one that failed it", () => {
  const { rig, start } = setUp();
  const lost = rig.join("lost", 1);
  const seat = rig.pool.seatOf("lost");
  start();
  rig.join("busy", 1);
  rig.claim({ workerId: "busy" });
  lost.vanish();
  expect(rig.pool.queueLength).toBe(1);
  rig.clock.advance(600_000);
  expect(rig.pool.queueLength).toBe(0);
  expect(seat?.totals).toMatchObject({ processed: 0, failures: 1, lastError: "lost" });
});
