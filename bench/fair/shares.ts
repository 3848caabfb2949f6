import type { Children, Helper } from "../children.ts";
import { startWorker } from "../moorage.ts";
import type { Table } from "../report.ts";
import { Client } from "./client.ts";
import { KEYS } from "./subject.ts";

const WEIGHTS = [
  [1, 1],
  [4, 1],
] as const;
const SLOTS = 4;
const JOB_MS = 100;
/** Requests that each key keeps open: all but two or three of them wait. */
const OPEN = 16;
/** Seconds before the counting begins. */
const WARM_UP_S = 2;

/** The service of two keys that always have jobs waiting. */
export interface Shares {
  readonly table: Table;
  /** How far the quotient of the two shares is from that of the weights, at most: 0.1 is a tenth. */
  readonly deviation: number;
  readonly jain: number;
}

export async function measureShares(children: Children, backend: Helper, seconds: number): Promise<Shares> {
  const results = [];
  for (const weights of WEIGHTS) results.push(await measureOnce(children, backend, weights, seconds));
  return {
    table: {
      head: ["weights", "jobs of the first key", "of the second", "quotient", "of the weights", "Jain's index"],
      rows: results.map(({ weights, served, quotient, jain }) => [
        weights.join(" : "),
        String(served[0]),
        String(served[1]),
        quotient.toFixed(2),
        (weights[0] / weights[1]).toFixed(2),
        jain.toFixed(4),
      ]),
    },
    deviation: Math.max(...results.map(({ weights, quotient }) => Math.abs((quotient * weights[1]) / weights[0] - 1))),
    jain: Math.min(...results.map(({ jain }) => jain)),
  };
}

async function measureOnce(children: Children, backend: Helper, weights: readonly [number, number], seconds: number) {
  const helper = await children.helper("fair/weighted-server.ts", weights.map(String));
  const url = helper.greeting.url ?? "";
  const worker = await startWorker(children, "llm", { url }, backend, "bench-worker", [
    "--max-concurrency",
    `${SLOTS}`,
  ]);
  const served: [number, number] = [0, 0];
  const clients = [new Client(url, KEYS.a), new Client(url, KEYS.b)];
  const loads = clients.map((client, at) =>
    client.keepOpen(OPEN, JOB_MS, ({ status }) => {
      if (status === 200) served[at === 0 ? 0 : 1] += 1;
    }),
  );
  await Bun.sleep(WARM_UP_S * 1000);
  served.fill(0);
  await Bun.sleep(seconds * 1000);
  const counted: readonly [number, number] = [...served];
  for (const client of clients) client.leave();
  await Promise.all(loads);
  await worker.stop();
  await helper.stop();
  return { weights, served: counted, quotient: counted[0] / counted[1], jain: jainIndex(counted, weights) };
}

/** Jain's index of fairness of the service per weight: 1 if all have the same, 1/n if one of n has everything. */
function jainIndex(served: readonly [number, number], weights: readonly [number, number]): number {
  const [a, b] = [served[0] / weights[0], served[1] / weights[1]];
  return (a + b) ** 2 / (2 * (a * a + b * b));
}
