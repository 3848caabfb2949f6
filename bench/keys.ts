import { createAuth } from "../src/auth/auth.ts";
import type { Visit } from "../src/http/visit.ts";
import { KeyBook } from "../src/keys/key-book.ts";
import { createMemoryRecords } from "../src/keys/key-records.ts";
import { readSharedEntry, sharedText } from "../src/keys/shared-entry.ts";
import { Allowance } from "../src/limits/allowance.ts";
import { Calendar } from "../src/limits/calendar.ts";
import { KeyCharges } from "../src/limits/charges.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemIds } from "../src/system/ids.ts";
import { silentLog } from "../src/system/log.ts";
import { defaultConfig } from "../tests/support/default-config.ts";
import type { Children } from "./children.ts";
import { median, spread } from "./numbers.ts";
import type { PartResult } from "./report.ts";

const KEYS = 10_000;
/** The goal for letting one request in, in microseconds. */
const MAX_US = 3;
/** The goal for the memory of idle keys with limits. */
const MAX_MIB = 15;
const REQUESTS = 50_000;
/** The keys that are used. A benchmark that holds a request for each of all keys would measure the memory of these. */
const CLIENTS = 200;

/** Measures what it costs to let a request in by its key, and to ask a key's limits. */
export async function measureKeys(_children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 3 : 15;
  const mib = memoryOf(KEYS);
  const many = doorOf(KEYS);
  const few = doorOf(1);
  const texts = sharedTextsOf(KEYS);
  const [manyUs, fewUs, wrongUs, limitUs]: [number[], number[], number[], number[]] = [[], [], [], []];
  const readMs: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const measured = [microseconds(many.enter), microseconds(few.enter), microseconds(many.refuse), limits()];
    // The first round warms up.
    const readingMs = milliseconds(() => readShared(texts));
    if (round > 0) readMs.push(readingMs);
    if (round > 0) for (const [at, list] of [manyUs, fewUs, wrongUs, limitUs].entries()) list.push(measured[at] ?? 0);
  }
  return {
    goals: [
      {
        what: `authenticating a request by one of ${KEYS} made keys, µs`,
        measured: spread(manyUs, 2),
        wanted: `≤ ${MAX_US}`,
        isMet: median(manyUs) <= MAX_US,
      },
      {
        what: `memory of ${KEYS} idle keys with limits, MiB`,
        measured: mib.toFixed(1),
        wanted: `≤ ${MAX_MIB}`,
        isMet: mib <= MAX_MIB,
      },
    ],
    report: {
      title: "Keys",
      method:
        `${rounds} rounds of ${REQUESTS} requests, after one warm-up round. A request is authenticated by its bearer token, with ${CLIENTS} ` +
        "of the keys in turn. The limits are those of a key with a limit per minute of requests and of tokens, one of jobs at a time, and three budgets.",
      tables: [
        {
          head: ["what", "value"],
          rows: [
            [`authenticating a request, ${KEYS} keys, µs`, spread(manyUs, 2)],
            ["authenticating a request, 1 key, µs", spread(fewUs, 2)],
            [`refusing a revoked key, ${KEYS} keys, µs`, spread(wrongUs, 2)],
            ["asking the limits of a key, beginning and settling a job, µs", spread(limitUs, 2)],
            [`memory of ${KEYS} idle keys with limits, MiB`, mib.toFixed(1)],
            [`reading ${KEYS} keys of a cluster at the start, without NATS, ms`, spread(readMs, 0)],
          ],
        },
      ],
    },
  };
}

interface Door {
  enter(index: number): void;
  refuse(index: number): void;
}

function createBook(count: number): { readonly book: KeyBook; readonly texts: readonly string[] } {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 200 });
  const texts: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const terms = { name: `key ${index}`, models: ["qwen*"], limits: { parallel: 4, tokensPerDay: 2_000_000 } };
    const { text } = book.create({ kind: "client", terms }, { by: "bench" });
    if (index % Math.ceil(count / CLIENTS) === 0) texts.push(text);
  }
  return { book, texts };
}

/** Returns the MiB that this many idle keys take, with their limits, and with their entries in records that are kept in memory. */
function memoryOf(count: number): number {
  const before = usedBytes();
  const { book } = createBook(count);
  const charges = new KeyCharges({ clock: systemClock, usedSince: () => 0 });
  for (const { id, limits } of book.list()) charges.set(id, limits);
  const bytes = usedBytes() - before;
  const last = book.list().at(-1);
  if (book.list().length !== count || !last || !charges.allowances.of(last.id))
    throw new Error("keys or limits are missing");
  return bytes / 2 ** 20;
}

/** Returns the records of keys in the bucket of a cluster, by id. */
function sharedTextsOf(count: number): ReadonlyMap<string, string> {
  const { book } = createBook(count);
  return new Map(book.list().map((entry) => [entry.id, sharedText(entry)]));
}

/** Reads and checks the records of all keys, and puts the keys into a book, as a server does that joins a cluster. */
function readShared(texts: ReadonlyMap<string, string>): void {
  const entries = [...texts].flatMap(([id, text]) => readSharedEntry(id, text) ?? []);
  const book = new KeyBook({ records: createMemoryRecords(entries), clock: systemClock, maxRequests: 200 });
  if (book.list().length !== texts.size) throw new Error("keys are missing");
}

function milliseconds(run: () => void): number {
  const from = performance.now();
  run();
  return performance.now() - from;
}

function doorOf(count: number): Door {
  const { book, texts } = createBook(count);
  const idleTimeouts = { liftIdleTimeout() {}, restoreIdleTimeout() {} };
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const revoked = book.create({ kind: "client", terms: { name: "revoked", limits: {} } }, { by: "bench" });
  book.revoke(revoked.entry.id, { by: "bench" });
  const auth = createAuth(defaultConfig({ authFailuresPerMinute: 0 }), deps, { idleTimeouts, made: book.sources });
  const visits = texts.map(visitWith);
  const refused = visitWith(revoked.text);
  return {
    enter(index) {
      const visit = visits[index % visits.length];
      if (visit) auth.ask(visit, "api");
    },
    refuse() {
      try {
        auth.ask(refused, "api");
      } catch {
        return; // It is refused, as it should be.
      }
      throw new Error("a revoked key was let in");
    },
  };
}

function visitWith(key: string): Visit {
  const request = new Request("http://127.0.0.1/v1/chat/completions", { headers: { authorization: `Bearer ${key}` } });
  return { request, requestId: "req_bench", address: () => "127.0.0.1" };
}

function limits(): number {
  const allowance = new Allowance(
    {
      parallel: 4,
      requestsPerMinute: 1_000_000,
      tokensPerMinute: 1e12,
      tokensPerDay: 1e12,
      tokensPerMonth: 1e12,
      audioSecondsPerDay: 1e9,
      timezone: "Europe/Berlin",
    },
    { clock: systemClock, calendar: new Calendar(), usedSince: () => 0 },
  );
  const expected = { tokens: 100, audioSeconds: 0 };
  return microseconds(() => {
    if (allowance.heldBy(expected)) throw new Error("a limit holds the job");
    allowance.begin(expected);
    allowance.settle(expected, expected);
  });
}

function microseconds(run: (index: number) => void): number {
  const start = Bun.nanoseconds();
  for (let index = 0; index < REQUESTS; index += 1) run(index);
  return (Bun.nanoseconds() - start) / REQUESTS / 1000;
}

function usedBytes(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}
