import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { type Answered, answering } from "../../support/answering-worker.ts";
import { eventually } from "../../support/eventually.ts";
import { TestServer } from "../../support/test-server.ts";

interface Message {
  readonly role: string;
  readonly content: string;
}

let server: TestServer;
let lines: string[] = [];
beforeEach(() => {
  lines = [];
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  server = new TestServer({ modelGraceMs: 0 }, { log });
});
afterEach(() => server.stop());

/** A worker whose answers name it. Its backend states that it has `cached` of 1,000 tokens in its cache. */
async function connect(id: string, cached?: number): Promise<Answered> {
  const worker = await server.worker({ worker_id: id, models: ["m"], max_concurrency: 4 });
  return answering(worker, (_, { id: exchange }) =>
    worker.answerJson(exchange, {
      choices: [{ message: { role: "assistant", content: id } }],
      usage: {
        prompt_tokens: 1000,
        completion_tokens: 1,
        ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
      },
    }),
  );
}

/** A conversation that resends all of its turns with each new one. */
class Conversation {
  readonly #messages: Message[] = [];
  readonly #name: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(name: string, headers: Readonly<Record<string, string>> = {}) {
    this.#name = name;
    this.#headers = headers;
  }

  /** Asks for one more turn and returns the worker that answered it. */
  async turn(): Promise<string> {
    const content = `${this.#name} ${this.#messages.length} `.repeat(100);
    this.#messages.push({ role: "user", content });
    const worker = await this.ask(this.#messages);
    this.#messages.push({ role: "assistant", content: worker });
    return worker;
  }

  async ask(messages: readonly Message[]): Promise<string> {
    const answer = await server.chat("m", { messages }, { headers: this.#headers });
    const { choices } = (await answer.json()) as { choices: readonly [{ message: Message }] }; // As the workers answer.
    return choices[0].message.content;
  }
}

/** Reads the metrics, and returns a function that finds the value of a series. */
async function figures(): Promise<(series: string) => number> {
  const text = await (await server.fetch("/metrics")).text();
  return (series) => {
    const line = text.split("\n").find((each) => each.startsWith(`${series} `));
    if (line === undefined) throw new Error(`no ${series}`);
    return Number(line.slice(series.length + 1));
  };
}

/** The reasons of the jobs that have ended, in order. */
const reasonsOf = (log: readonly string[]): readonly (string | undefined)[] =>
  log.filter((line) => line.includes("job.ended")).map((line) => /"route_reason":"(\w+)"/.exec(line)?.[1]);

const turns = async (conversation: Conversation, count: number): Promise<string[]> => {
  const workers: string[] = [];
  for (let turn = 0; turn < count; turn += 1) workers.push(await conversation.turn());
  return workers;
};

describe("with several workers", () => {
  test("each of two conversations stays on its worker, and the log says why", async () => {
    const workers = [await connect("w1"), await connect("w2")];
    const [one, two] = [new Conversation("one"), new Conversation("two")];
    const seen: string[][] = [[], []];
    for (let turn = 0; turn < 8; turn += 1) {
      seen[0]?.push(await one.turn());
      seen[1]?.push(await two.turn());
    }
    expect(seen.map((each) => new Set(each).size)).toEqual([1, 1]);
    expect(seen[0]?.[0]).not.toBe(seen[1]?.[0]);
    expect(new Set(reasonsOf(lines).slice(2))).toEqual(new Set(["prefix"]));
    for (const worker of workers) worker.close();
  });

  test("a conversation whose worker restarts goes on elsewhere and stays there", async () => {
    const workers = new Map([
      ["w1", await connect("w1")],
      ["w2", await connect("w2")],
    ]);
    const conversation = new Conversation("one");
    const [first = ""] = await turns(conversation, 3);
    workers.get(first)?.close();
    await eventually(async () => (await server.state()).workers.length === 1, "the worker has left");
    const [other = ""] = await turns(conversation, 2);
    expect(other).not.toBe(first);
    workers.set(first, await connect(first));
    // The other one has the conversation now; the one that restarted has an empty cache.
    expect(new Set(await turns(conversation, 4))).toEqual(new Set([other]));
    for (const worker of workers.values()) worker.close();
  });

  test("requests with one session header stay together although their prompts differ", async () => {
    const workers = [await connect("w1"), await connect("w2")];
    const session = new Conversation("", { "x-session-id": "task-1" });
    const seen = new Set<string>();
    for (let turn = 0; turn < 8; turn += 1) {
      seen.add(await session.ask([{ role: "user", content: `summary ${turn} `.repeat(100) }]));
      // Another request in between, which would take turns with these.
      await new Conversation(`other ${turn}`).turn();
    }
    expect(seen.size).toBe(1);
    for (const worker of workers) worker.close();
  });

  test("workers whose backends keep no prompts are chosen by load again, and the log says so once", async () => {
    const workers = [await connect("w1", 0), await connect("w2", 0)];
    const conversation = new Conversation("one");
    // The first 20 predictions are about the worker that has the conversation.
    const before = new Set(await turns(conversation, 21));
    expect(before.size).toBe(1);
    await eventually(() => lines.some((line) => line.includes("affinity.off")), "affinity is off");
    await conversation.turn();
    expect(reasonsOf(lines).slice(-2)).toEqual(["prefix", "least_loaded"]);
    const [line = "{}"] = lines.filter((each) => each.includes("affinity.off"));
    expect(JSON.parse(line)).toMatchObject({ plugin: "llm", worker: [...before][0], model: "m", cached_tokens: 0 });
    for (const worker of workers) worker.close();
  });

  test("the metrics state the tokens that were predicted, those that were cached, and the size of the table", async () => {
    const workers = [await connect("w1", 900), await connect("w2", 900)];
    await turns(new Conversation("one"), 3);
    const metrics = await figures();
    const labels = '{plugin="llm",model="m"}';
    const predicted = metrics(`moorage_prefix_predicted_tokens_total${labels}`);
    expect(predicted).toBeGreaterThan(700);
    expect(predicted).toBeLessThan(2000);
    expect(metrics(`moorage_prefix_cached_tokens_total${labels}`)).toBe(1800);
    expect(metrics('moorage_prefix_table_entries{plugin="llm"}')).toBe(5);
    for (const worker of workers) worker.close();
  });
});

test("with one worker nothing is remembered", async () => {
  const worker = await connect("w1");
  await turns(new Conversation("one"), 3);
  const metrics = await figures();
  expect(metrics('moorage_prefix_table_entries{plugin="llm"}')).toBe(0);
  worker.close();
});
