/** The clients, in their own process: sends the requests that the harness asks for and reports the result. */

import { quantile } from "./numbers.ts";

export type LoadQuestion =
  /** Small requests, `concurrency` at a time. */
  | {
      readonly kind: "requests";
      readonly target: Target;
      readonly body: string;
      readonly count: number;
      readonly concurrency: number;
    }
  /** Small requests at a fixed rate. Each is sent on time, whether earlier ones have finished or not. */
  | {
      readonly kind: "paced";
      readonly target: Target;
      readonly body: string;
      readonly perSecond: number;
      readonly seconds: number;
    }
  /** Event streams, all at once. */
  | { readonly kind: "streams"; readonly target: Target; readonly body: string; readonly count: number }
  /** Large requests, `concurrency` at a time. The responses are read and discarded, or parsed if `check` is set. */
  | {
      readonly kind: "bodies";
      readonly target: Target;
      readonly bodies: readonly string[];
      readonly concurrency: number;
      readonly check?: "embeddings";
    };

export interface Target {
  readonly url: string;
  readonly key?: string;
}

export interface LoadAnswer {
  readonly seconds: number;
  /** Milliseconds to the first byte of a response, as percentiles that the load process has computed. */
  readonly firstByte: { readonly p50: number; readonly p99: number };
  readonly failures: number;
  readonly bytes: number;
  /** The number of events of all streams, and of the reads that delivered them. */
  readonly events: number;
  readonly reads: number;
  /** The first failure, if there was one. */
  readonly wrong?: string;
}

class Tally {
  readonly #startedAt = performance.now();
  readonly firstBytes: number[] = [];
  failures = 0;
  /** The first failure. */
  wrong: string | undefined;
  bytes = 0;
  events = 0;
  reads = 0;

  fail(what: unknown): void {
    this.failures += 1;
    this.wrong ??= what instanceof Error ? what.message : String(what);
  }

  answer(): LoadAnswer {
    const { failures, bytes, events, reads, wrong } = this;
    const firstByte = { p50: quantile(this.firstBytes, 0.5), p99: quantile(this.firstBytes, 0.99) };
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return { seconds, firstByte, failures, bytes, events, reads, ...(wrong ? { wrong } : {}) };
  }
}

async function run(question: LoadQuestion): Promise<LoadAnswer> {
  const tally = new Tally();
  switch (question.kind) {
    case "requests":
      await inParallel(question.count, question.concurrency, () => small(tally, question.target, question.body));
      break;
    case "paced":
      await paced(question.perSecond, question.seconds, () => small(tally, question.target, question.body));
      break;
    case "streams":
      await inParallel(question.count, question.count, () => eventStream(tally, question.target, question.body));
      break;
    case "bodies":
      await inParallel(question.bodies.length, question.concurrency, (at) =>
        large(tally, question.target, question.bodies[at] ?? "", question.check),
      );
      break;
    default:
      return question satisfies never;
  }
  return tally.answer();
}

/** Runs `work` for 0 … count-1 with this many in progress. A failure does not stop the others. */
async function inParallel(count: number, concurrency: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, lane));
}

/** Starts `work` at a fixed rate. A late tick starts what it missed, and nothing waits for work in progress. */
async function paced(perSecond: number, seconds: number, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const running: Promise<void>[] = [];
  while (running.length < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((performance.now() - startedAt) / 1000) * perSecond);
    while (running.length < due) running.push(work());
    await Bun.sleep(1);
  }
  await Promise.all(running);
}

function post(target: Target, body: string): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (target.key) headers["authorization"] = `Bearer ${target.key}`;
  return fetch(target.url, { method: "POST", headers, body });
}

async function small(tally: Tally, target: Target, body: string): Promise<void> {
  const startedAt = performance.now();
  try {
    const response = await post(target, body);
    // Servers send a head with the first bytes of the body, so this is when those arrived.
    tally.firstBytes.push(performance.now() - startedAt);
    tally.bytes += (await response.arrayBuffer()).byteLength;
    if (response.status !== 200) tally.fail(`status ${response.status}`);
  } catch (error) {
    tally.fail(error);
  }
}

const NEWLINE = 0x0a;

async function eventStream(tally: Tally, target: Target, body: string): Promise<void> {
  const startedAt = performance.now();
  let tail = "";
  try {
    const response = await post(target, body);
    if (!response.body) throw new Error("no body");
    let isFirst = true;
    let last = 0;
    for await (const bytes of response.body) {
      if (isFirst) tally.firstBytes.push(performance.now() - startedAt);
      isFirst = false;
      tally.reads += 1;
      tally.bytes += bytes.length;
      for (const byte of bytes) {
        if (byte === NEWLINE && last === NEWLINE) tally.events += 1;
        last = byte;
      }
      tail = (tail + Buffer.from(bytes).toString()).slice(-DONE.length);
    }
    if (response.status !== 200 || tail !== DONE) tally.fail(`status ${response.status}, ending in ${tail}`);
  } catch (error) {
    tally.fail(error);
  }
}

const DONE = "data: [DONE]\n\n";

async function large(tally: Tally, target: Target, body: string, check: "embeddings" | undefined): Promise<void> {
  const startedAt = performance.now();
  try {
    const response = await post(target, body);
    tally.firstBytes.push(performance.now() - startedAt);
    if (response.status !== 200 || !response.body) throw new Error(`status ${response.status}`);
    const kept: Uint8Array[] = [];
    for await (const bytes of response.body) {
      tally.bytes += bytes.length;
      if (check) kept.push(bytes);
    }
    if (!check) return;
    const wrong = wrongInEmbeddings(Buffer.concat(kept).toString(), JSON.parse(body).input.length);
    if (wrong) tally.fail(wrong);
  } catch (error) {
    tally.fail(error);
  }
}

function wrongInEmbeddings(text: string, count: number): string | undefined {
  const { data } = JSON.parse(text) as { data: { index: number }[] }; // Anything else throws below.
  if (data.length !== count) return `${data.length} embeddings for ${count} inputs`;
  const at = data.findIndex((item, place) => item.index !== place);
  return at < 0 ? undefined : `index ${data[at]?.index} at place ${at}`;
}

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const question = message as LoadQuestion; // The harness sends nothing else.
  run(question).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error("load", error);
      process.exit(1);
    },
  );
});
process.send?.({});
