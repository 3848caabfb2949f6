import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeyLimits, KeyTerms } from "../../src/keys/key-terms.ts";
import { systemClock } from "../../src/system/clock.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker, type RequestFrame } from "../support/native-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

const BY = { by: "admin-key:1" };

let book: KeyBook;
let server: TestServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = create();
});
afterEach(() => server.stop());

const create = (overrides: object = {}): TestServer =>
  new TestServer(
    { plugins: ["llm", "asr", "transfer"], queueSize: 1000, ...overrides },
    {},
    undefined,
    undefined,
    undefined,
    {
      book,
      file: undefined,
      isKept: false,
    },
  );
const make = (limits: KeyLimits, terms: Partial<KeyTerms> = {}) =>
  book.create({ kind: "client", terms: { name: "limited", limits, ...terms } }, BY);
const as = (key: string, signal?: AbortSignal): RequestInit => ({
  headers: { authorization: `Bearer ${key}` },
  ...(signal ? { signal } : {}),
});
const answer = (worker: NativeWorker, { id }: RequestFrame, tokens = 20): void =>
  worker.answerJson(id, { usage: { prompt_tokens: tokens / 2, completion_tokens: tokens / 2 } });
const nextRequest = async (worker: NativeWorker): Promise<RequestFrame> => {
  for (;;) {
    const frame = await worker.frames.take("a request");
    if (frame.type === "request") return frame;
  }
};
/** Answers every request with so many tokens, and counts those that run at once. */
function serve(worker: NativeWorker, { ms = 0, tokens = 20 } = {}) {
  const seen = { running: 0, most: 0, all: 0 };
  void (async () => {
    for (;;) {
      const frame = await worker.frames.take("a frame", 60_000).catch(() => undefined);
      if (!frame) return;
      if (frame.type !== "request") continue;
      seen.running += 1;
      seen.all += 1;
      seen.most = Math.max(seen.most, seen.running);
      void Bun.sleep(ms).then(() => {
        seen.running -= 1;
        answer(worker, frame, tokens);
      });
    }
  })();
  return seen;
}
const codeIn = async (response: Response): Promise<string> => {
  const body = (await response.json()) as { error: { code: string } }; // the server's own form of errors
  return body.error.code;
};

describe("transfers", () => {
  const side = (id: string, key: string, body?: string): Promise<Response> =>
    fetch(`${server.url}/api/transfer/${id}`, {
      headers: { authorization: `Bearer ${key}` },
      ...(body !== undefined && { method: "POST", body }),
    });
  const channel = async (): Promise<string> => {
    const response = await server.fetch("/api/transfer", { method: "POST" });
    return ((await response.json()) as { channel_id: string }).channel_id; // its own test checks this shape
  };

  test("count each side as a request, and get 429 at once beyond requests_per_minute", async () => {
    const { text } = make({ requestsPerMinute: 3, parallel: 1, tokensPerDay: 1 });
    const first = await channel();
    const [read, written] = await Promise.all([side(first, text), side(first, text, "hello")]);
    expect([await read.text(), written.status]).toEqual(["hello", 200]);
    const second = await channel();
    const waiting = side(second, text);
    await eventually(async () => (await side(second, text, "too many")).status === 429, "the limit is reached");
    const refused = await side(second, text, "too many");
    expect(Number(refused.headers.get("retry-after"))).toBeWithin(1, 61);
    expect(await codeIn(refused)).toBe("rate_limit_exceeded");
    const { text: other } = make({ requestsPerMinute: 3 });
    expect((await side(second, other, "through")).status).toBe(200);
    expect(await (await waiting).text()).toBe("through");
  });
});

describe("parallel", () => {
  test("lets 4 of 200 chats at once reach the worker, and all of them in the end", async () => {
    const { text } = make({ parallel: 4 });
    const seen = serve(await server.worker({ max_concurrency: 50 }), { ms: 2 });
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async () => (await server.chat("m", {}, as(text))).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect([seen.most, seen.all]).toEqual([4, 200]);
  }, 30_000);

  test("bounds the parts of a request for embeddings", async () => {
    const { text } = make({ parallel: 2 });
    const worker = await server.worker({ max_concurrency: 8, embedding_batch_size: 1 });
    let [running, most] = [0, 0];
    void (async () => {
      for (let served = 0; served < 6; served += 1) {
        const { id } = await nextRequest(worker);
        running += 1;
        most = Math.max(most, running);
        void Bun.sleep(20).then(() => {
          running -= 1;
          worker.answerJson(id, { data: [{ index: 0, embedding: [1] }], usage: { prompt_tokens: 1, total_tokens: 1 } });
        });
      }
    })();
    const input = ["a", "b", "c", "d", "e", "f"];
    const response = await server.post("/v1/embeddings", { model: "m", input }, as(text));
    expect(response.status).toBe(200);
    expect(most).toBeLessThanOrEqual(2);
  }, 20_000);

  test("bounds chats and transcriptions together", async () => {
    const { text } = make({ parallel: 2 });
    const seen = serve(await server.worker({ max_concurrency: 8 }), { ms: 20 });
    const listener = await NativeWorker.connect({
      url: server.url,
      path: "/api/asr/connect",
      register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 8 },
    });
    const heard = serve(listener, { ms: 20 });
    let most = 0;
    const looking = setInterval(() => {
      most = Math.max(most, seen.running + heard.running);
    }, 1);
    const upload = (): Promise<Response> => {
      const form = new FormData();
      form.append("model", "m");
      form.append("file", new Blob(["RIFF"]), "a.wav");
      return server.fetch("/v1/audio/transcriptions", { method: "POST", body: form, ...as(text) });
    };
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? server.chat("m", {}, as(text)) : upload())),
    );
    clearInterval(looking);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect([seen.all, heard.all]).toEqual([4, 4]);
    expect(most).toBeLessThanOrEqual(2);
  }, 20_000);

  test("lets a request that loses its worker go on with another one, and counts it once", async () => {
    const { text } = make({ parallel: 1, requestsPerMinute: 2 });
    const workers = [await server.worker(), await server.worker()];
    const requests = workers.map(async (worker) => ({ worker, frame: await nextRequest(worker) }));
    const first = server.chat("m", {}, as(text));
    const lost = await Promise.race(requests);
    lost.worker.kill();
    const other = await requests[lost.worker === workers[0] ? 1 : 0];
    if (other) answer(other.worker, other.frame);
    const { status, headers } = await first;
    expect([status, headers.get("x-ratelimit-remaining-requests")]).toEqual([200, "1"]);
  }, 20_000);

  test("tells a waiting stream its place and the limit", async () => {
    await server.stop();
    server = create({ earlyHeadersMs: 10, keepaliveIntervalMs: 50 });
    const { text } = make({ parallel: 1 });
    const worker = await server.worker({ max_concurrency: 4 });
    const first = server.chat("m", {}, as(text));
    const frame = await nextRequest(worker);
    const client = new AbortController();
    const waiting = await server.chat("m", { stream: true }, as(text, client.signal));
    const reader = waiting.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe(": queued position=1 limit=parallel\n");
    expect(await server.state()).toMatchObject({
      callers: [{ waiting: 1, held: 1, limit: "parallel", running: 1 }],
    });
    client.abort();
    answer(worker, frame);
    expect((await first).status).toBe(200);
  }, 20_000);
});

describe("limits per minute", () => {
  test("are told in the headers of each answer, and of no other key's", async () => {
    const { text } = make({ requestsPerMinute: 10, tokensPerMinute: 1000 });
    const free = make({ parallel: 5 });
    serve(await server.worker({ max_concurrency: 4 }), { tokens: 100 });
    const { headers } = await server.chat("m", {}, as(text));
    expect(headers.get("x-ratelimit-limit-requests")).toBe("10");
    expect(headers.get("x-ratelimit-remaining-requests")).toBe("9");
    expect(headers.get("x-ratelimit-reset-requests")).toMatch(/^(?:1m0s|60s|\d+s)$/);
    expect(headers.get("x-ratelimit-limit-tokens")).toBe("1000");
    expect(headers.get("x-ratelimit-remaining-tokens")).toBe("900");
    for (const other of [await server.chat("m", {}, as(free.text)), await server.chat("m")])
      expect([...other.headers.keys()].filter((name) => name.startsWith("x-ratelimit"))).toEqual([]);
  }, 20_000);

  test("refuse a key that does not wait, with the seconds until it may try again", async () => {
    const { text } = make({ requestsPerMinute: 1, onLimit: "refuse" });
    serve(await server.worker());
    expect((await server.chat("m", {}, as(text))).status).toBe(200);
    const refused = await server.chat("m", {}, as(text));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(55);
    expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(refused.headers.get("x-should-retry")).toBeNull();
    expect(await codeIn(refused)).toBe("rate_limit_exceeded");
  }, 20_000);
});

test("a budget that is used up ends in insufficient_quota, which says when it resets", async () => {
  const { text, entry } = make({ tokensPerDay: 50, timezone: "Europe/Berlin" });
  serve(await server.worker(), { tokens: 60 });
  expect((await server.chat("m", {}, as(text))).status).toBe(200);
  const refused = await server.chat("m", {}, as(text));
  expect(refused.status).toBe(429);
  expect(refused.headers.get("x-should-retry")).toBe("false");
  expect(refused.headers.get("x-ratelimit-remaining-tokens")).toBe("0");
  const body = (await refused.json()) as { error: { code: string; message: string } }; // the server's own form of errors
  expect(body.error.code).toBe("insufficient_quota");
  expect(body.error.message).toMatch(
    /used up its budget of 50 tokens for this day\. It resets at .*T00:00:00\+0[12]:00/,
  );
  book.update(entry.id, { terms: {}, limits: { tokensPerDay: 1000 } });
  expect((await server.chat("m", {}, as(text))).status).toBe(200);
}, 20_000);

describe("the official SDK", () => {
  const callWith = async (key: string, maxRetries: number) => {
    let calls = 0;
    const client = new OpenAI({
      baseURL: `${server.url}/v1`,
      apiKey: key,
      maxRetries,
      fetch: (url, init) => {
        calls += 1;
        return fetch(url, init);
      },
    });
    const messages = [{ role: "user" as const, content: "hello" }];
    const error: unknown = await client.chat.completions.create({ model: "m", messages }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { error, calls };
  };

  test("sees a RateLimitError with the headers at a limit per minute", async () => {
    const { text } = make({ requestsPerMinute: 1, onLimit: "refuse" });
    serve(await server.worker());
    expect((await callWith(text, 0)).error).toBeUndefined();
    const { error } = await callWith(text, 0);
    if (!(error instanceof OpenAI.RateLimitError)) throw new Error("no RateLimitError");
    expect(error).toMatchObject({ status: 429, code: "rate_limit_exceeded", type: "rate_limit_error" });
    expect(error.headers.get("x-ratelimit-limit-requests")).toBe("1");
  }, 20_000);

  test("does not retry a used-up budget", async () => {
    const { text } = make({ tokensPerDay: 10 });
    serve(await server.worker());
    expect((await callWith(text, 2)).error).toBeUndefined();
    const { error, calls } = await callWith(text, 2);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error).toMatchObject({ code: "insufficient_quota" });
    expect(calls).toBe(1);
  }, 20_000);
});

describe("a key that ends", () => {
  test("by a revocation ends its running stream with an error event, and what waits at once", async () => {
    const { text, entry } = make({ parallel: 1 });
    const worker = await server.worker({ max_concurrency: 4 });
    const streaming = server.chat("m", { stream: true }, as(text));
    const { id } = await nextRequest(worker);
    worker.head(id, 200, [["content-type", "text/event-stream"]], 'data: {"choices":[]}\n\n');
    const response = await streaming;
    const waiting = server.chat("m", {}, as(text));
    await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "one waits");
    book.revoke(entry.id, BY);
    expect(await response.text()).toContain('"code":"key_revoked"');
    const left = await waiting;
    expect([left.status, await codeIn(left)]).toEqual([401, "key_revoked"]);
    await worker.reset();
  }, 20_000);

  test("by a revocation ends its transfers, begun or not", async () => {
    const { text, entry } = make({});
    const channel = async (): Promise<string> => {
      const response = await server.fetch("/api/transfer", { method: "POST", ...as(text) });
      const { channel_id } = (await response.json()) as { channel_id: string }; // its own test checks this shape
      return channel_id;
    };
    const [begun, open] = [await channel(), await channel()];
    const waiting = server.fetch(`/api/transfer/${open}`, as(text));
    const reading = server.fetch(`/api/transfer/${begun}`, as(text));
    let send: (bytes: Uint8Array) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        send = (bytes) => controller.enqueue(bytes);
      },
    });
    const writing = server
      .fetch(`/api/transfer/${begun}`, { method: "POST", body, ...as(text) })
      .catch(() => undefined);
    send(new Uint8Array(10));
    const reader = (await reading).body?.getReader();
    expect((await reader?.read())?.value?.length).toBe(10);
    book.revoke(entry.id, BY);
    const left = await waiting;
    expect([left.status, await codeIn(left)]).toEqual([401, "key_revoked"]);
    await expect(Promise.resolve(reader?.read())).rejects.toThrow();
    expect((await writing)?.status ?? 401).toBe(401);
  }, 20_000);

  test("by its expiry ends what runs within a second or two", async () => {
    const { text, entry } = make({});
    const worker = await server.worker();
    const running = server.chat("m", {}, as(text));
    await nextRequest(worker);
    // In the future, so that the change itself ends nothing.
    book.update(entry.id, { terms: { expiresAt: systemClock.now() + 200 }, limits: {} });
    const response = await running;
    expect([response.status, await codeIn(response)]).toEqual([401, "key_expired"]);
  }, 20_000);
});
