import { afterEach, describe, expect, test } from "bun:test";
import type { CallerClass } from "../../../src/auth/caller.ts";
import { eventually } from "../../support/eventually.ts";
import { type AnswerJob, markOf, QueueServer, type Sent, WorkedJobs } from "../../support/queue-rig.ts";

let server: QueueServer;
afterEach(() => server.stop());

const JOB_MS = 40;
/** Slots of the worker, and with it the jobs that may have got one while the newcomer was on its way. */
const SLOTS = 2;

async function worked(jobMs = JOB_MS, answer?: AnswerJob): Promise<WorkedJobs> {
  return new WorkedJobs(await server.worker({ max_concurrency: SLOTS }), jobMs, answer);
}

describe("a request of one key, while another key's requests wait,", () => {
  test.each([
    [70, {}],
    [110, {}],
    // One key may not have as many requests in progress unless its limit is raised.
    [500, { maxRequestsPerKey: 600 }],
  ])("is served among the next few, and never refused, behind %i of them", async (count, limits) => {
    server = new QueueServer({ a: {}, b: {} }, limits);
    const jobs = await worked();
    const crowd = server.sendMany(count + SLOTS, "a");
    await server.waiting(Math.min(count, 100));
    const startedAt = performance.now();
    const from = await jobs.count();
    const one = server.send("b");
    expect((await one.answer).status).toBe(200);
    const ms = performance.now() - startedAt;
    console.log(`    behind ${count}: ${Math.round(ms)} ms, ${(ms / JOB_MS).toFixed(1)} times the duration of a job`);
    expect(await jobs.placeOf(one.mark, from)).toBeLessThanOrEqual(2 * SLOTS + 1);
    for (const { leave } of crowd) leave();
  });
});

interface Load {
  readonly key: string;
  readonly weight: number;
  /** Output tokens of each job. */
  readonly tokens: number;
}

/** Keeps jobs of several keys waiting until so many have ended. Returns the tokens that each key got, after a beginning. */
async function shareOut(loads: readonly Load[], ended: number, skipped: number): Promise<readonly number[]> {
  server = new QueueServer(Object.fromEntries(loads.map(({ key, weight }) => [key, { weight }])));
  const tokensOf = (mark: string): number => loads.find(({ key }) => mark.startsWith(`${key}-`))?.tokens ?? 0;
  const jobs = await worked(2, (worker, request) => {
    worker.answerJson(request.id, { usage: { prompt_tokens: 0, completion_tokens: tokensOf(markOf(request)) } });
  });
  let isOver = false;
  const client = async (key: string): Promise<void> => {
    while (!isOver) expect((await server.send(key).answer).status).toBe(200);
  };
  // So many clients of each key that jobs of both wait all the time, also while answers and requests are on their way.
  const clients = loads.flatMap(({ key }) => Array.from({ length: 40 }, () => client(key)));
  await eventually(() => jobs.marks.length >= ended, `${ended} jobs have a slot`, 30_000);
  isOver = true;
  await Promise.all(clients);
  const counted = jobs.marks.slice(skipped, ended);
  return loads.map(({ key, tokens }) => counted.filter((mark) => mark.startsWith(`${key}-`)).length * tokens);
}

describe("two keys whose requests wait all the time", () => {
  test.each<[string, Load, Load]>([
    ["equal weights and equal jobs", { key: "a", weight: 1, tokens: 50 }, { key: "b", weight: 1, tokens: 50 }],
    ["equal weights and unequal jobs", { key: "a", weight: 1, tokens: 150 }, { key: "b", weight: 1, tokens: 30 }],
    ["weights 4 and 1", { key: "a", weight: 4, tokens: 50 }, { key: "b", weight: 1, tokens: 50 }],
    ["weights 4 and 1 and unequal jobs", { key: "a", weight: 4, tokens: 100 }, { key: "b", weight: 1, tokens: 50 }],
  ])("share the workers' tokens by their weights within a tenth: %s", async (_what, a, b) => {
    const [ofA = 0, ofB = 0] = await shareOut([a, b], 600, 100);
    const share = ofA / (ofA + ofB);
    const due = a.weight / (a.weight + b.weight);
    expect(share / due).toBeWithin(0.9, 1.1);
    expect((1 - share) / (1 - due)).toBeWithin(0.9, 1.1);
  });
});

/**
 * Sends a request that waits beside the given number of others, while no slot becomes free. Returns its place among the jobs
 * that get a slot from then on.
 */
async function placeOfOne(
  jobs: WorkedJobs,
  waiting: number,
  send: () => Sent,
  plugin: "llm" | "asr" = "llm",
): Promise<number> {
  await server.waiting(waiting, plugin);
  const from = await jobs.count();
  const one = send();
  await server.waiting(waiting + 1, plugin);
  jobs.release();
  expect((await one.answer).status).toBe(200);
  return jobs.placeOf(one.mark, from);
}

describe("work that can wait", () => {
  test.each<[string, CallerClass, string, Record<string, string>, object]>([
    ["by its key's class", "background", "person", {}, {}],
    ["by the header", "normal", "person", { "x-moorage-priority": "background" }, {}],
    ["by the service tier", "normal", "person", {}, { service_tier: "flex" }],
    ["of the same key", "normal", "script", { "x-moorage-priority": "background" }, {}],
  ])(
    "leaves a slot free for others, who are first in the queue as well: %s",
    async (_what, ofScript, other, headers, body) => {
      server = new QueueServer({ script: { class: ofScript }, person: {} });
      const jobs = await worked();
      jobs.hold();
      const script = server.sendMany(41, "script", headers, body);
      await server.waiting(40);
      const atOnce = server.send(other);
      await eventually(() => jobs.marks.includes(atOnce.mark), "it has the free slot");
      expect(await placeOfOne(jobs, 40, () => server.send(other))).toBe(1);
      for (const { leave } of script) leave();
    },
  );
});

describe("an end user of a key", () => {
  const named = (name: string) => ({ "x-openwebui-user-id": name });

  test("is not starved by another end user of the same key", async () => {
    server = new QueueServer({ a: {} });
    const jobs = await worked();
    jobs.hold();
    const crowd = server.sendMany(60 + SLOTS, "a", named("alice"));
    const place = await placeOfOne(jobs, 60, () => server.send("a", {}, { user: "bob" }));
    expect(place).toBeLessThanOrEqual(SLOTS);
    for (const { leave } of crowd) leave();
  });

  test("that a key invents gains the key nothing over another key", async () => {
    server = new QueueServer({ a: {}, b: {} });
    const jobs = await worked(2);
    let isOver = false;
    const client = async (key: string, user: () => string): Promise<void> => {
      while (!isOver) await (await server.send(key, named(user())).answer).arrayBuffer();
    };
    let invented = 0;
    const newUser = (): string => {
      invented += 1;
      return String(invented);
    };
    const clients = Array.from({ length: 40 }, () => [client("a", newUser), client("b", () => "only")]).flat();
    await eventually(() => jobs.marks.length >= 500, "500 jobs have a slot", 30_000);
    isOver = true;
    await Promise.all(clients);
    const ofA = jobs.marks.slice(100, 500).filter((mark) => mark.startsWith("a-")).length;
    expect(ofA / 200).toBeWithin(0.9, 1.1);
  });
});

describe("uploads of audio", () => {
  test("are shared out by the same rules", async () => {
    server = new QueueServer({ a: {}, b: {} });
    const jobs = new WorkedJobs(await server.listener({ max_concurrency: SLOTS }), JOB_MS);
    jobs.hold();
    const crowd = Array.from({ length: 60 + SLOTS }, () => server.upload("a"));
    expect(await placeOfOne(jobs, 60, () => server.upload("b"), "asr")).toBeLessThanOrEqual(SLOTS);
    for (const { leave } of crowd) leave();
  });
});
