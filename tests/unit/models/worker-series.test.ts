import { expect, test } from "bun:test";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { WorkerSeries } from "../../../src/models/worker-series.ts";
import type { Claim } from "../../../src/pool/claim.ts";
import type { Seat } from "../../../src/pool/seat.ts";
import { FakeClock } from "../../support/fake-clock.ts";

interface Shown {
  readonly id: string;
  readonly name?: string;
  readonly models?: readonly string[];
  /** Whether it is out because it failed too often. */
  readonly isOut?: boolean;
  /** Output tokens per second of each measured model. */
  readonly decode?: readonly number[];
}

const EJECTION = { reason: "upstream_error", since: 0, until: 5000, times: 1 };

function create() {
  const clock = new FakeClock();
  let connected: readonly Shown[] = [];
  // The series read nothing else of a seat.
  const toSeat = ({ id, name = id, models = ["m"], isOut = false, decode = [] }: Shown): Seat => {
    const byModel = new Map(decode.map((rate, at) => [`m${at}`, { speed: { decode: rate } }]));
    const health = isOut ? { isOut } : undefined;
    return { session: { worker: { id, name } }, models, capacity: 4, busy: 1, health, byModel } as unknown as Seat;
  };
  const series = new WorkerSeries({ clock, plugin: "llm", seats: () => connected.map(toSeat) });
  const metrics = createMetrics("1");
  series.register(metrics);
  return {
    clock,
    connect(...workers: readonly Shown[]) {
      connected = workers;
    },
    count(id: string, outcome: "completed" | "failed" | "canceled" = "completed", model = "m") {
      // The series read nothing else of a claim.
      const claim = { worker: { id, name: id }, model } as Claim;
      series.count(claim, { outcome, runningMs: 1500, output: 10 });
    },
    eject(id: string, model?: string) {
      series.health({ change: "ejected", worker: { id, name: id }, model, ejection: EJECTION });
    },
    async lines(name: string): Promise<readonly string[]> {
      return (await metrics.text()).split("\n").filter((line) => line.startsWith(`${name}{`));
    },
  };
}

test("each worker has its jobs by outcome, their time, its output and its slots", async () => {
  const { connect, count, lines } = create();
  connect({ id: "w1", name: "rack 1" });
  count("w1");
  count("w1", "failed");
  const labels = 'plugin="llm",worker="w1",name="rack 1"';
  expect(await lines("moorage_worker_jobs_total")).toEqual([
    `moorage_worker_jobs_total{${labels},outcome="completed"} 1`,
    `moorage_worker_jobs_total{${labels},outcome="failed"} 1`,
    `moorage_worker_jobs_total{${labels},outcome="canceled"} 0`,
  ]);
  expect(await lines("moorage_worker_job_seconds_total")).toEqual([`moorage_worker_job_seconds_total{${labels}} 3`]);
  expect(await lines("moorage_worker_output_tokens_total")).toEqual([
    `moorage_worker_output_tokens_total{${labels}} 20`,
  ]);
  expect(await lines("moorage_worker_slots")).toEqual([`moorage_worker_slots{${labels}} 4`]);
  expect(await lines("moorage_worker_slots_busy")).toEqual([`moorage_worker_slots_busy{${labels}} 1`]);
});

test("a worker's counts continue when it reconnects, and go five minutes after it has left", async () => {
  const { clock, connect, count, lines } = create();
  connect({ id: "w1" });
  count("w1");
  expect(await lines("moorage_worker_jobs_total")).toHaveLength(3);
  connect();
  clock.advance(4 * 60_000);
  expect((await lines("moorage_worker_jobs_total"))[0]).toEndWith(" 1");
  expect(await lines("moorage_worker_slots")).toEqual([]);
  connect({ id: "w1" });
  expect(await lines("moorage_worker_slots")).toHaveLength(1);
  connect();
  clock.advance(5 * 60_000 + 1);
  expect(await lines("moorage_worker_jobs_total")).toEqual([]);
});

test("workers beyond five hundred share one set of series, and a place that is free again is used", async () => {
  const { clock, connect, count, lines } = create();
  const workers = Array.from({ length: 600 }, (_, at) => ({ id: `w${at}` }));
  connect(...workers);
  for (const { id } of workers) count(id);
  const slots = await lines("moorage_worker_slots");
  expect(slots).toHaveLength(501);
  expect(slots).toContain('moorage_worker_slots{plugin="llm",worker="(other)",name="(other)"} 400');
  expect(await lines("moorage_worker_jobs_total")).toContain(
    'moorage_worker_jobs_total{plugin="llm",worker="(other)",name="(other)",outcome="completed"} 100',
  );
  connect({ id: "late" });
  clock.advance(5 * 60_000 + 1);
  await lines("moorage_worker_slots");
  expect(await lines("moorage_worker_slots")).toEqual([
    'moorage_worker_slots{plugin="llm",worker="late",name="late"} 4',
  ]);
});

test("a run of the doctor has no series, and a name adds no line and no label", async () => {
  const { connect, count, lines } = create();
  const model = "moorage-doctor-AAAAAAAAAAAAAAAAAAAAAA";
  connect({ id: "d", models: [model] }, { id: "w1", name: 'x"} 1\nmoorage_up{a="b' });
  count("d", "completed", model);
  expect(await lines("moorage_worker_slots")).toEqual([
    'moorage_worker_slots{plugin="llm",worker="w1",name="x\\"} 1\\nmoorage_up{a=\\"b"} 4',
  ]);
  expect((await lines("moorage_worker_jobs_total")).filter((line) => line.includes('"d"'))).toEqual([]);
});

test("a worker has its ejections, whether it is out, and its average measured speed", async () => {
  const { connect, eject, lines } = create();
  connect({ id: "w1", isOut: true, decode: [20, 60] }, { id: "w2" });
  eject("w1");
  eject("w1", "m");
  const labels = (id: string): string => `plugin="llm",worker="${id}",name="${id}"`;
  expect(await lines("moorage_worker_ejections_total")).toEqual([
    `moorage_worker_ejections_total{${labels("w1")}} 2`,
    `moorage_worker_ejections_total{${labels("w2")}} 0`,
  ]);
  expect(await lines("moorage_worker_out")).toEqual([
    `moorage_worker_out{${labels("w1")}} 1`,
    `moorage_worker_out{${labels("w2")}} 0`,
  ]);
  expect(await lines("moorage_worker_decode_tokens_per_second")).toEqual([
    `moorage_worker_decode_tokens_per_second{${labels("w1")}} 40`,
  ]);
  expect(await lines("moorage_worker_prefill_tokens_per_second")).toEqual([]);
});
