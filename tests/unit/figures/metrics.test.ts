import { expect, test } from "bun:test";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { RecentTimes } from "../../../src/figures/recent-times.ts";
import { metricsRoutes } from "../../../src/http/metrics-routes.ts";

async function lines(metrics: ReturnType<typeof createMetrics>, name: string): Promise<readonly string[]> {
  const text = await metrics.text();
  return text.split("\n").filter((line) => line.startsWith(name));
}

test("a job that ended is counted under its plugin, model and outcome", async () => {
  const metrics = createMetrics("1.2.3");
  const model = metrics.forModel("llm", "llama3");
  model.ended("completed");
  model.ended("failed");
  model.ended("completed");
  model.duration(42);
  model.firstByte(0.2);
  model.queueWait(0);
  model.used({ input_tokens: 10 });
  model.used({ cached_tokens: 4 });
  model.used({ output_tokens: 200 });
  model.used({ audio_seconds: 1.5 });
  model.retries(2);
  model.bytesOut(1000);
  expect(await lines(metrics, "moorage_jobs_total")).toEqual([
    'moorage_jobs_total{plugin="llm",model="llama3",outcome="completed"} 2',
    'moorage_jobs_total{plugin="llm",model="llama3",outcome="failed"} 1',
  ]);
  expect(await lines(metrics, "moorage_job_duration_seconds_sum")).toEqual([
    'moorage_job_duration_seconds_sum{plugin="llm",model="llama3"} 42',
  ]);
  expect(await lines(metrics, "moorage_tokens_total")).toEqual([
    'moorage_tokens_total{plugin="llm",model="llama3",direction="input"} 10',
    'moorage_tokens_total{plugin="llm",model="llama3",direction="output"} 200',
  ]);
  expect(await lines(metrics, "moorage_audio_seconds_total")).toEqual([
    'moorage_audio_seconds_total{plugin="llm",model="llama3"} 1.5',
  ]);
  expect(await lines(metrics, "moorage_retries_total")).toEqual([
    'moorage_retries_total{plugin="llm",reason="worker_failed"} 2',
  ]);
  expect(await lines(metrics, "moorage_bytes_total")).toEqual([
    'moorage_bytes_total{plugin="llm",direction="out"} 1000',
  ]);
});

test("a job of half an hour falls into a bucket of its own", async () => {
  const metrics = createMetrics("1");
  metrics.forModel("asr", "whisper").duration(1500);
  const buckets = await lines(metrics, "moorage_job_duration_seconds_bucket");
  expect(buckets.find((line) => line.includes('le="600"'))).toEndWith(" 0");
  expect(buckets.find((line) => line.includes('le="1800"'))).toEndWith(" 1");
});

test("a job that met no model, and every model beyond two hundred, is counted as other", async () => {
  const metrics = createMetrics("1");
  metrics.forModel("llm", undefined).ended("failed");
  for (let i = 0; i < 300; i += 1) metrics.forModel("llm", `model-${i}`).ended("completed");
  const counted = await lines(metrics, "moorage_jobs_total");
  expect(counted.length).toBeLessThanOrEqual(202);
  const other = counted.filter((line) => line.includes('model="other"'));
  expect(other.map((line) => Number(line.split(" ").at(-1))).reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(
    100,
  );
});

test("a model that was removed has no series left and makes room for another", async () => {
  const metrics = createMetrics("1");
  for (let i = 0; i < 200; i += 1) metrics.forModel("llm", `model-${i}`).ended("completed");
  metrics.forModel("llm", "model-7").duration(1);
  metrics.removeModel("llm", "model-7");
  expect(await metrics.text()).not.toContain('"model-7"');
  metrics.forModel("llm", "newcomer").ended("completed");
  expect(await metrics.text()).toContain('model="newcomer"');
  metrics.forModel("llm", "model-7").ended("completed");
  expect(await metrics.text()).not.toContain('"model-7"');
});

test("a token count that makes no sense is left out instead of ending the job in an error", async () => {
  const metrics = createMetrics("1");
  metrics.forModel("llm", "m").used({ input_tokens: -5 });
  metrics.forModel("llm", "m").used({ output_tokens: Number.NaN });
  expect(await lines(metrics, "moorage_tokens_total")).toEqual([]);
});

test("a gauge is read from its owners at each scrape and forgets what they no longer report", async () => {
  const metrics = createMetrics("1");
  let readings = [{ labels: { plugin: "llm", status: "idle" }, value: 3 }];
  metrics.gauge("moorage_workers", "Workers.", ["plugin", "status"], () => readings);
  metrics.gauge("moorage_workers", "Workers.", ["plugin", "status"], () => [
    { labels: { plugin: "asr", status: "idle" }, value: 1 },
  ]);
  expect(await lines(metrics, "moorage_workers{")).toEqual([
    'moorage_workers{plugin="llm",status="idle"} 3',
    'moorage_workers{plugin="asr",status="idle"} 1',
  ]);
  readings = [];
  expect(await lines(metrics, "moorage_workers{")).toEqual(['moorage_workers{plugin="asr",status="idle"} 1']);
});

test("two servers in one process count apart", async () => {
  const [one, two] = [createMetrics("1"), createMetrics("1")];
  one.rejection("llm", "queue_full");
  expect(await lines(one, "moorage_rejections_total{")).toHaveLength(1);
  expect(await lines(two, "moorage_rejections_total{")).toHaveLength(0);
});

test("GET /metrics answers Prometheus' text with build, process and event loop, without what Bun reports wrongly", async () => {
  const metrics = createMetrics("1.2.3");
  metrics.authFailure("api");
  metrics.chunkGap("llm")(0.02);
  const response = await metricsRoutes(metrics).handle(new Request("http://localhost/metrics"));
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(text).toContain(`moorage_build_info{version="1.2.3",bun="${Bun.version}"} 1`);
  expect(text).toContain('moorage_auth_failures_total{surface="api"} 1');
  expect(text).toContain('moorage_chunk_gap_seconds_count{plugin="llm"} 1');
  expect(text).toContain("process_resident_memory_bytes");
  expect(text).toContain("nodejs_eventloop_lag_max_seconds");
  for (const wrong of ["nodejs_gc", "nodejs_active", "heap_space", "process_heap_bytes", "nodejs_version_info"]) {
    expect(text).not.toContain(wrong);
  }
});

test("the totals of a plugin are those of all its models", () => {
  const metrics = createMetrics("1");
  metrics.forModel("mcp", undefined).ended("completed");
  metrics.forModel("mcp", "a").ended("failed");
  metrics.forModel("mcp", "a").bytesOut(10);
  metrics.forModel("mcp", "b").bytesOut(5);
  metrics.forModel("llm", "a").ended("completed");
  expect(metrics.totals("mcp")).toEqual({ ended: 2, failed: 1, bytesOut: 15 });
  expect(metrics.totals("none")).toEqual({ ended: 0, failed: 0, bytesOut: 0 });
});

test("times to the first byte are passed on in milliseconds", () => {
  const times = new RecentTimes();
  const metrics = createMetrics("1", times);
  metrics.forModel("llm", "a").firstByte(0.25);
  expect(times.quantile(1)).toBeGreaterThan(240);
  expect(times.quantile(1)).toBeLessThan(260);
});
