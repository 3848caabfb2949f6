import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { FakeClock } from "../../support/fake-clock.ts";
import type { NativeWorker, RequestFrame } from "../../support/native-worker.ts";
import { markOf, QueueServer, type Sent } from "../../support/queue-rig.ts";

const EARLY_MS = 50;
const QUEUE_SIZE = 3;

let clock: FakeClock;
let server: QueueServer;
let worker: NativeWorker;
let running: RequestFrame;

beforeEach(async () => {
  clock = new FakeClock();
  server = new QueueServer(
    { a: {}, b: {}, c: {} },
    { queueSize: QUEUE_SIZE, earlyHeadersMs: EARLY_MS, keepaliveIntervalMs: EARLY_MS, pingIntervalMs: 3_600_000 },
    { clock },
  );
  worker = await server.worker();
  server.send("c");
  running = await worker.request();
});
afterEach(() => server.stop());

/** Sends requests of key a until the queue is full, one after the other, so that the last one is the newest. */
async function fill(body: object = {}): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  for (let waiting = 1; waiting <= QUEUE_SIZE; waiting += 1) {
    sent.push(server.send("a", {}, body));
    await server.waiting(waiting);
  }
  return sent;
}

/** Ends the running job, and returns the mark of the one that gets its slot. */
async function next(): Promise<string> {
  worker.answerJson(running.id, { usage: { prompt_tokens: 20, completion_tokens: 20 } });
  running = await worker.request();
  return markOf(running);
}

const MESSAGE =
  "The queue is full, and this key or end user has the most requests in it, so this one made room for another. " +
  "Try again shortly, and with fewer requests at a time.";

describe("in a full queue,", () => {
  test("the newest request of the key with most of them gets 503, and another key's takes its place", async () => {
    const [first, second, newest] = await fill();
    const other = server.send("b");
    const refused = await newest?.answer;
    expect(refused?.status).toBe(503);
    expect(refused?.headers.get("retry-after")).toBe("2");
    expect(refused?.headers.get("x-should-retry")).toBeNull();
    expect(await refused?.json()).toEqual({
      error: { message: MESSAGE, type: "server_error", param: null, code: "queue_full" },
    });
    const order = [await next(), await next(), await next()];
    expect(order.toSorted()).toEqual([first?.mark ?? "", second?.mark ?? "", other.mark].toSorted());
    expect(order.indexOf(other.mark)).toBeLessThan(2);
  });

  test("a stream that was opened early and is pushed out ends with an error event, without [DONE]", async () => {
    const sent = await fill({ stream: true });
    clock.advance(EARLY_MS);
    const streams = await Promise.all(sent.map(({ answer }) => answer));
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200]);
    server.send("b");
    const text = (await streams.at(-1)?.text()) ?? "";
    expect(text).toMatch(/^(: queued position=\d+\n)+\n?data: /);
    expect(text).not.toContain("[DONE]");
    expect(JSON.parse(text.slice(text.indexOf("data: ") + 6))).toEqual({
      error: { message: MESSAGE, type: "server_error", param: null, code: "queue_full" },
    });
  });

  test("the comments of a waiting stream tell its place under the policy, which is near the front for a newcomer", async () => {
    await fill({ stream: true });
    const other = server.send("b", {}, { stream: true });
    await server.waiting(QUEUE_SIZE);
    clock.advance(EARLY_MS);
    const reader = (await other.answer).body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toMatch(/^: queued position=[12]\n$/);
  });

  test("a request of the key that has most of them is itself refused, and the others go on waiting", async () => {
    const sent = await fill();
    const refused = await server.send("a").answer;
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await refused.json()).toMatchObject({ error: { code: "queue_full" } });
    expect([await next(), await next(), await next()]).toEqual(sent.map(({ mark }) => mark));
  });

  test("keys with one request each wait, and only the one beyond the queue's size is refused", async () => {
    const [a, b, c] = [server.send("a"), server.send("b"), server.send("c")];
    await server.waiting(QUEUE_SIZE);
    const refused = await server.send("b").answer;
    expect(refused.status).toBe(503);
    const order = [await next(), await next(), await next()];
    expect(order.toSorted()).toEqual([a.mark, b.mark, c.mark].toSorted());
  });
});

test("a key at MAX_REQUESTS_PER_KEY gets 429, and its requests that wait stay where they are", async () => {
  const limited = new QueueServer({ a: {}, b: {} }, { maxRequestsPerKey: 3 });
  try {
    const slot = await limited.worker();
    const sent = limited.sendMany(3, "a");
    const first = await slot.request();
    await limited.waiting(2);
    const refused = await limited.send("a").answer;
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "2"]);
    expect(await refused.json()).toMatchObject({
      error: {
        code: "too_many_requests",
        message: "This key already has 3 requests in progress, which is the limit. Try again when some have ended.",
      },
    });
    slot.answerJson(first.id, {});
    slot.answerJson((await slot.request()).id, {});
    slot.answerJson((await slot.request()).id, {});
    for (const { answer } of sent) expect((await answer).status).toBe(200);
  } finally {
    await limited.stop();
  }
});
