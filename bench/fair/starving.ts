import type { Children, Helper } from "../children.ts";
import { spread } from "../numbers.ts";
import type { Table } from "../report.ts";
import { type Answer, Client } from "./client.ts";
import { type Checkout, KEYS, startSubject } from "./subject.ts";

/** Requests of the other key that are open. */
const CROWDS: readonly number[] = [40, 70, 110, 500];
const SLOTS = 2;
const JOB_MS = 1000;
/** Milliseconds in which the crowd's requests arrive. */
const ARRIVAL_MS = 500;

/** One request of a key behind a crowd of another key, each time on a server of its own. */
export interface Starving {
  readonly table: Table;
  /** The longest time to an answer, in seconds. */
  readonly longestS: number;
  /** Whether each of the single requests was answered. */
  readonly isServed: boolean;
}

export async function measureStarving(
  children: Children,
  backend: Helper,
  checkout: Checkout,
  rounds: number,
): Promise<Starving> {
  const rows: string[][] = [];
  const all: Answer[] = [];
  for (const count of CROWDS) {
    const answers: Answer[] = [];
    const refused = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1)
      answers.push(await measureOnce(children, backend, checkout, count, refused));
    all.push(...answers);
    rows.push([
      checkout.name,
      String(count),
      [...new Set(answers.map(({ status, code }) => (code === undefined ? `${status}` : `${status} ${code}`)))].join(
        ", ",
      ),
      spread(
        answers.map(({ ms }) => ms / 1000),
        1,
      ),
      [...refused].map(([what, times]) => `${Math.round(times / rounds)} × ${what}`).join(", ") || "–",
    ]);
  }
  return {
    table: {
      head: [
        "checkout",
        "open requests of the other key",
        "one request",
        "seconds to its answer",
        "refused of the others",
      ],
      rows,
    },
    longestS: Math.max(...all.map(({ ms }) => ms)) / 1000,
    isServed: all.every(({ status }) => status === 200),
  };
}

async function measureOnce(
  children: Children,
  backend: Helper,
  checkout: Checkout,
  count: number,
  refused: Map<string, number>,
): Promise<Answer> {
  const server = await startSubject(children, backend, checkout, [SLOTS]);
  const crowd = new Client(server.url, KEYS.a);
  const others = Array.from({ length: count }, async () => {
    const { status, code } = await crowd.ask(JOB_MS);
    if (code !== undefined) refused.set(`${status} ${code}`, (refused.get(`${status} ${code}`) ?? 0) + 1);
  });
  await Bun.sleep(ARRIVAL_MS);
  const answer = await new Client(server.url, KEYS.b).ask(JOB_MS);
  crowd.leave();
  await Promise.all(others);
  await server.stopAll();
  return answer;
}
