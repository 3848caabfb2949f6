import type { Children, Helper } from "../children.ts";
import { quantile } from "../numbers.ts";
import type { Table } from "../report.ts";
import { Client } from "./client.ts";
import { type Checkout, KEYS, startSubject } from "./subject.ts";

const SLOTS = [4, 4, 4];
const JOB_MS = 500;
const OPEN = 60;
/** Milliseconds between the requests of the person. */
const EVERY_MS = 1000;

/** A person's requests beside a script that keeps many open. */
export interface Crowd {
  readonly table: Table;
  /** Milliseconds that a person's request waited for a slot, at the 95th percentile. */
  readonly waitP95Ms: number;
  /** Jobs per second with the person / without. */
  readonly throughput: number;
}

/** The wait of a person's request may be as long as a job, and this much. */
export const MOST_WAIT_MS = JOB_MS + 1000;

export async function measureCrowd(
  children: Children,
  backend: Helper,
  checkout: Checkout,
  seconds: number,
): Promise<Crowd> {
  const alone = await measureOnce(children, backend, checkout, seconds, false);
  const beside = await measureOnce(children, backend, checkout, seconds, true);
  const toRow = (what: string, { waits, perSecond }: typeof alone): string[] => [
    checkout.name,
    what,
    ...[0.5, 0.95, 1].map((at) => (waits.length === 0 ? "–" : `${quantile(waits, at).toFixed(0)}`)),
    perSecond.toFixed(1),
  ];
  return {
    table: {
      head: ["checkout", "clients", "wait of the person p50 ms", "p95 ms", "longest ms", "jobs/s of both"],
      rows: [toRow("script", alone), toRow("script and person", beside)],
    },
    waitP95Ms: quantile(beside.waits, 0.95),
    throughput: beside.perSecond / alone.perSecond,
  };
}

async function measureOnce(
  children: Children,
  backend: Helper,
  checkout: Checkout,
  seconds: number,
  hasPerson: boolean,
): Promise<{ readonly waits: readonly number[]; readonly perSecond: number }> {
  const server = await startSubject(children, backend, checkout, SLOTS);
  const [script, person] = [new Client(server.url, KEYS.a), new Client(server.url, KEYS.b)];
  let served = 0;
  const load = script.keepOpen(OPEN, JOB_MS, ({ status }) => {
    if (status === 200) served += 1;
  });
  await Bun.sleep(2 * JOB_MS);
  served = 0;
  const waits: number[] = [];
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let at = 0; at < (seconds * 1000) / EVERY_MS; at += 1) {
    if (hasPerson)
      asked.push(
        person.ask(JOB_MS).then(({ status, ms }) => {
          if (status !== 200) return;
          served += 1;
          waits.push(Math.max(0, ms - JOB_MS));
        }),
      );
    await Bun.sleep(Math.max(0, startedAt + (at + 1) * EVERY_MS - performance.now()));
  }
  const perSecond = served / ((performance.now() - startedAt) / 1000);
  await Promise.all(asked);
  script.leave();
  await load;
  await server.stopAll();
  return { waits, perSecond };
}
