import { resolve } from "node:path";
import type { Children } from "../children.ts";
import type { Goal, PartResult, Table } from "../report.ts";
import { MOST_WAIT_MS, measureCrowd } from "./crowd.ts";
import { measureShares } from "./shares.ts";
import { measureStarving } from "./starving.ts";
import type { Checkout } from "./subject.ts";

const MOST_STARVING_S = 3;
const MOST_DEVIATION = 0.1;
const LEAST_JAIN = 0.98;

/**
 * Measures how a busy pool divides its slots between keys, with real programs over sockets. With `other`, the directory of
 * another checkout, the waits are measured there as well.
 */
export async function measureFair(children: Children, isQuick: boolean, other?: string): Promise<PartResult> {
  const backend = await children.helper("fair/slow-backend.ts");
  const here: Checkout = { name: "this one", directory: undefined };
  const there = other === undefined ? [] : [{ name: "other", directory: resolve(other) }];
  const rounds = isQuick ? 1 : 3;
  const starving = await measureStarving(children, backend, here, rounds);
  const crowd = await measureCrowd(children, backend, here, isQuick ? 10 : 30);
  const tables: Table[] = [starving.table, crowd.table];
  for (const checkout of there) {
    const { table } = await measureStarving(children, backend, checkout, 1);
    const beside = await measureCrowd(children, backend, checkout, isQuick ? 10 : 30);
    tables.push(table, beside.table);
  }
  const seconds = isQuick ? 10 : 60;
  const shares = await measureShares(children, backend, seconds);
  const goals: readonly Goal[] = [
    {
      what: "one request behind up to 500 of another key",
      measured: `${starving.longestS.toFixed(1)} s${starving.isServed ? "" : ", not always served"}`,
      wanted: `at most ${MOST_STARVING_S} s`,
      isMet: starving.isServed && starving.longestS <= MOST_STARVING_S,
    },
    {
      what: "wait of a person's request beside a script with 60 open, p95",
      measured: `${crowd.waitP95Ms.toFixed(0)} ms`,
      wanted: `at most ${MOST_WAIT_MS} ms`,
      isMet: crowd.waitP95Ms <= MOST_WAIT_MS,
    },
    {
      what: "jobs per second, script and person / script alone",
      measured: `${crowd.throughput.toFixed(2)} ×`,
      wanted: undefined,
    },
    {
      what: "shares of two keys that always wait: deviation from their weights, 1 : 1 and 4 : 1",
      measured: `${(100 * shares.deviation).toFixed(1)} %`,
      wanted: `at most ${100 * MOST_DEVIATION} %`,
      isMet: shares.deviation <= MOST_DEVIATION,
    },
    {
      what: "Jain's index of these shares, per weight",
      measured: shares.jain.toFixed(4),
      wanted: `at least ${LEAST_JAIN}`,
      isMet: shares.jain >= LEAST_JAIN,
    },
  ];
  return {
    goals,
    report: {
      title: "Fair",
      method:
        "Jobs that take a fixed time. First, a crowd of requests of one key on 2 slots of 1 s, and half a second later one request of " +
        `another key; each row is ${rounds === 1 ? "one server" : `the median of ${rounds} servers`}. Then a script that keeps 60 requests open on 3 workers with 4 slots of 0.5 s, and a ` +
        `person's key with one request each second. Then two keys that each keep 16 requests open on 4 slots of 0.1 s, for ${seconds} s; ` +
        "their weights come from a key source of the benchmark.",
      tables: [...tables, shares.table],
    },
  };
}
