import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { NativeWorker, RequestFrame } from "../../support/native-worker.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({ queueTimeoutMs: 500 });
});
afterEach(() => server.stop());

interface Answer {
  readonly object: string;
  readonly model: string;
  readonly data: readonly { readonly index: number; readonly embedding: number[] | string; readonly object: string }[];
  readonly usage: Readonly<Record<string, number>>;
}

const inputsOf = (frame: RequestFrame): unknown[] => JSON.parse(Buffer.from(frame.body).toString()).input;
/** A vector that identifies its input. */
const vectorOf = (input: unknown): number[] => [Number(String(input).replace("t", "")), 0.5, -1.25];
const base64Of = (vector: readonly number[]): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString("base64");

/** Answers each part as a backend does, with indexes that begin at 0. */
async function serve(worker: NativeWorker, format: "float" | "base64" = "float", sizes: number[] = []): Promise<void> {
  for (;;) {
    const frame = await worker.request().catch(() => undefined);
    if (!frame) return;
    const inputs = inputsOf(frame);
    sizes.push(inputs.length);
    const data = inputs.map((input, index) => ({
      object: "embedding",
      index,
      embedding: format === "float" ? vectorOf(input) : base64Of(vectorOf(input)),
    }));
    worker.answerJson(frame.id, {
      object: "list",
      data,
      model: "served",
      usage: { prompt_tokens: inputs.length, total_tokens: inputs.length },
    });
  }
}

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => `t${index}`);

async function embed(input: unknown, more: object = {}): Promise<Answer> {
  const response = await server.post("/v1/embeddings", { model: "m", input, ...more });
  expect(response.status).toBe(200);
  return (await response.json()) as Answer; // The assertions look at the shape.
}

test("ten texts on three workers give indexes 0 to 9 in order, summed usage, and each text's own vector", async () => {
  const sizes: number[] = [];
  for (let count = 0; count < 3; count += 1)
    void serve(await server.worker({ embedding_batch_size: 2 }), "float", sizes);
  const answer = await embed(texts(10));
  expect(answer.data.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(answer.data.map(({ embedding }) => embedding)).toEqual(texts(10).map(vectorOf));
  expect(answer.usage).toEqual({ prompt_tokens: 10, total_tokens: 10 });
  expect(answer.object).toBe("list");
  expect(answer.model).toBe("served");
  expect(sizes).toEqual([2, 2, 2, 2, 2]);
});

test.each(["float", "base64"] as const)(
  "answers of backends in different encodings are converted to the requested one: %s",
  async (encoding) => {
    void serve(await server.worker({ embedding_batch_size: 1 }), "float");
    void serve(await server.worker({ embedding_batch_size: 1 }), "base64");
    const { data } = await embed(texts(8), { encoding_format: encoding });
    const vectors = data.map(({ embedding }) =>
      typeof embedding === "string"
        ? [...new Float32Array(Buffer.from(embedding, "base64").buffer.slice(0))].slice(0, 3)
        : embedding,
    );
    expect(
      data.every(({ embedding }) => (encoding === "base64" ? typeof embedding === "string" : Array.isArray(embedding))),
    ).toBe(true);
    if (encoding === "float") expect(vectors).toEqual(texts(8).map(vectorOf));
    else expect(data.map(({ embedding }) => embedding)).toEqual(texts(8).map((text) => base64Of(vectorOf(text))));
  },
);

test.each([
  ["one token array", [1, 2, 3]],
  ["one text", "t7"],
])("%s is one input and is forwarded unchanged", async (_name, input) => {
  const worker = await server.worker({ embedding_batch_size: 1 });
  const answer = server.post("/v1/embeddings", { model: "m", input });
  const frame = await worker.request();
  expect(JSON.parse(Buffer.from(frame.body).toString()).input).toEqual(input);
  worker.answerJson(frame.id, {
    object: "list",
    data: [{ object: "embedding", index: 0, embedding: [1, 2] }],
    model: "m",
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
  expect(((await (await answer).json()) as Answer).data.length).toBe(1);
});

test("token arrays are split like texts, number by number", async () => {
  const worker = await server.worker({ embedding_batch_size: 1, max_concurrency: 1 });
  const body = '{"model":"m","input":[[1,20],[3]],"dimensions":2}';
  const answer = server.fetch("/v1/embeddings", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  for (const expected of [
    '{"model":"m","input":[[1,20]],"dimensions":2}',
    '{"model":"m","input":[[3]],"dimensions":2}',
  ]) {
    const frame = await worker.request();
    expect(Buffer.from(frame.body).toString()).toBe(expected);
    worker.answerJson(frame.id, { data: [{ index: 0, embedding: [1, 2] }], model: "m", usage: { prompt_tokens: 1 } });
  }
  expect((await answer).status).toBe(200);
});

test("a part whose worker is lost is computed by another worker, and nothing is missing", async () => {
  const doomed = await server.worker({ embedding_batch_size: 4 });
  void serve(await server.worker({ embedding_batch_size: 3 }));
  const answer = embed(texts(12));
  await doomed.request();
  doomed.kill();
  expect((await answer).data.map(({ embedding }) => embedding)).toEqual(texts(12).map(vectorOf));
});

test("a part that fails at one backend is tried elsewhere, and that backend gets no further part", async () => {
  const failing = await server.worker({ embedding_batch_size: 2 });
  const good = await server.worker({ embedding_batch_size: 2 });
  void serve(good);
  let asked = 0;
  void (async () => {
    for (;;) {
      const frame = await failing.request().catch(() => undefined);
      if (!frame) return;
      asked += 1;
      failing.answerJson(frame.id, { error: { message: "cuda" } }, 500);
    }
  })();
  expect((await embed(texts(12))).data.map(({ embedding }) => embedding)).toEqual(texts(12).map(vectorOf));
  expect(asked).toBe(1);
});

test("a worker lost in the middle of its part's answer is replaced, because the client has got nothing yet", async () => {
  const doomed = await server.worker({ embedding_batch_size: 4 });
  void serve(await server.worker({ embedding_batch_size: 4 }));
  const answer = embed(texts(8));
  const { id } = await doomed.request();
  doomed.head(id, 200, [["content-type", "application/json"]], '{"data":[');
  await doomed.roundTrip();
  doomed.kill();
  expect((await answer).data.length).toBe(8);
});

test("a backend's 400 is the client's answer", async () => {
  const refused = await server.worker({ models: ["strict"], embedding_batch_size: 4 });
  const bad = server.post("/v1/embeddings", { model: "strict", input: texts(8) });
  refused.answerJson((await refused.request()).id, { error: { message: "too long" } }, 400);
  const response = await bad;
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: { message: "too long" } });
});

test("an answer that needs no merge is passed on byte for byte", async () => {
  const worker = await server.worker();
  const answer = server.post("/v1/embeddings", { model: "m", input: "t1" });
  const { id } = await worker.request();
  const body =
    '{ "id":"x", "data":[ {"index":0, "embedding":[1,2.50], "extra":true} ], "usage":{"prompt_tokens":1}, "created":5 }';
  worker.head(id, 200, [["content-type", "application/json"]], body, true);
  expect(await (await answer).text()).toBe(body);
});

test("a request that fails finally cancels its other parts", async () => {
  const first = await server.worker({ embedding_batch_size: 2 });
  const second = await server.worker({ embedding_batch_size: 2 });
  const answer = server.post("/v1/embeddings", { model: "m", input: texts(4) });
  const { id } = await first.request();
  await second.request();
  first.answerJson(id, { error: { message: "no" } }, 400);
  expect((await answer).status).toBe(400);
  expect(await second.reset()).toMatchObject({ code: "canceled" });
});

test.each([
  ["too few", { data: [{ index: 0, embedding: [1] }] }],
  [
    "an index twice",
    {
      data: [
        { index: 0, embedding: [1] },
        { index: 0, embedding: [1] },
      ],
    },
  ],
  [
    "different dimensions",
    {
      data: [
        { index: 0, embedding: [1] },
        { index: 1, embedding: [1, 2] },
      ],
    },
  ],
  [
    "null for a vector",
    {
      data: [
        { index: 0, embedding: null },
        { index: 1, embedding: [1] },
      ],
    },
  ],
  [
    "text in a vector",
    {
      data: [
        { index: 0, embedding: ["x"] },
        { index: 1, embedding: [1] },
      ],
    },
  ],
  ["no data", { object: "list" }],
])("an answer with %s is an error, never a shorter or different list", async (_name, json) => {
  const worker = await server.worker();
  const answer = server.post("/v1/embeddings", { model: "m", input: ["a", "b"] });
  worker.answerJson((await worker.request()).id, json);
  const response = await answer;
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: { code: "upstream_error" } });
});

test("a garbled answer is an error", async () => {
  const worker = await server.worker();
  const answer = server.post("/v1/embeddings", { model: "m", input: ["a", "b"] });
  const { id } = await worker.request();
  worker.head(id, 200, [["content-type", "application/json"]], '{"data":[{"index":0,"embedding":[1,2', true);
  expect((await answer).status).toBe(502);
});

const IMAGE = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };

test.each([
  ["messages in place of input", { messages: [{ role: "user", content: [IMAGE] }] }],
  ["content parts", { input: [{ type: "text", text: "x" }, IMAGE] }],
  ["objects", { input: [{ text: "x" }, { image: "https://example.org/a.png" }] }],
  ["a mixture", { input: ["a", 1] }],
  ["an empty text", { input: "" }],
  ["an empty text among others", { input: ["a", ""] }],
  ["a number", { input: 5 }],
  ["nothing", { input: [] }],
  ["an encoding that the server does not know", { input: ["a", "b"], encoding_format: "bytes" }],
])("a request with %s reaches the backend whole, and its answer the client as it is", async (_name, more) => {
  const worker = await server.worker({ embedding_batch_size: 1, max_concurrency: 2 });
  const body = JSON.stringify({ model: "m", ...more });
  const answer = server.fetch("/v1/embeddings", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  const { id, body: sent } = await worker.request();
  expect(Buffer.from(sent).toString()).toBe(body);
  worker.head(id, 422, [["content-type", "application/json"]], '{"detail":"its own"}', true);
  const response = await answer;
  expect([response.status, await response.text()]).toEqual([422, '{"detail":"its own"}']);
});

test("a request that cannot be split is served by exactly its model", async () => {
  await server.worker({ models: ["m:8b-q4"] });
  const response = await server.post("/v1/embeddings", { model: "m:8b", input: [{ text: "x" }] });
  expect(response.status).toBe(404);
});

test("3,000 inputs are served, and more than 32,768 are refused with the field's name", async () => {
  void serve(await server.worker({ max_concurrency: 8 }));
  expect((await embed(texts(3000))).data).toHaveLength(3000);
  const response = await server.post("/v1/embeddings", { model: "m", input: texts(32_769) });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request", param: "input" } });
});

test("each part names the model as its worker lists it, where the client leaves out the tag 'latest'", async () => {
  const worker = await server.worker({ models: ["bge-m3:latest"], embedding_batch_size: 2, max_concurrency: 2 });
  const answer = server.post("/v1/embeddings", { model: "library/bge-m3", input: texts(3) });
  for (const inputs of [2, 1]) {
    const { id, body } = await worker.request();
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({
      model: "bge-m3:latest",
      input: { length: inputs },
    });
    worker.answerJson(id, {
      object: "list",
      data: texts(inputs).map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) })),
      model: "served",
      usage: { prompt_tokens: inputs, total_tokens: inputs },
    });
  }
  const response = await answer;
  expect(response.status).toBe(200);
  expect(response.headers.get("x-moorage-model")).toBe("bge-m3:latest");
  expect(await response.json()).toMatchObject({ data: { length: 3 } });
});

test("another quantization never embeds, because its vectors differ", async () => {
  await server.worker({ models: ["nomic:v1-q4"] });
  const response = await server.post("/v1/embeddings", { model: "nomic:v1", input: "a" });
  expect(response.status).toBe(404);
});

test("a client that disconnects cancels every part", async () => {
  const first = await server.worker({ embedding_batch_size: 2 });
  const second = await server.worker({ embedding_batch_size: 2 });
  const leaver = new AbortController();
  const answer = server
    .post("/v1/embeddings", { model: "m", input: texts(4) }, { signal: leaver.signal })
    .catch((error: Error) => error.name);
  const ids = [(await first.request()).id, (await second.request()).id];
  leaver.abort();
  expect(await answer).toBe("AbortError");
  await Promise.all([first.reset(), second.reset()]);
  first.end(ids[0] ?? 0);
  second.end(ids[1] ?? 0);
  await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 0, "no job is left");
});

test("2,048 vectors of 1,536 floats come back whole", async () => {
  const big = async (worker: NativeWorker): Promise<void> => {
    for (;;) {
      const frame = await worker.request().catch(() => undefined);
      if (!frame) return;
      const data = inputsOf(frame).map((input, index) => {
        const embedding = new Array<number>(1536).fill(0.0123456789);
        embedding[0] = Number(String(input).slice(1));
        return { object: "embedding", index, embedding };
      });
      const body = Buffer.from(
        JSON.stringify({ object: "list", data, model: "m", usage: { prompt_tokens: data.length } }),
      );
      // In pieces, and no faster than credit comes; a real worker does the same.
      worker.head(frame.id, 200, [["content-type", "application/json"]]);
      let credit = 256 * 1024;
      for (let at = 0; at < body.length; ) {
        while (credit < 65_536) {
          const grant = await worker.frames.take("credit");
          if (grant.type === "credit") credit += grant.bytes;
        }
        const piece = body.subarray(at, at + 65_536);
        at += piece.length;
        credit -= piece.length;
        worker.data(frame.id, piece, at >= body.length);
      }
    }
  };
  void big(await server.worker({ embedding_batch_size: 256 }));
  void big(await server.worker({ embedding_batch_size: 256 }));
  const { data } = await embed(texts(2048));
  expect(data.length).toBe(2048);
  expect(data.every(({ index, embedding }) => embedding.length === 1536 && embedding[0] === index)).toBe(true);
}, 20_000);

test("a compressed answer is passed on as it is, with its encoding; several are told not to be mergeable", async () => {
  const worker = await server.worker({ embedding_batch_size: 2 });
  const body = JSON.stringify({ object: "list", data: [{ object: "embedding", index: 0, embedding: [1, 2] }] });
  const packed = Bun.gzipSync(body);
  const answerPacked = async (): Promise<void> => {
    const { id } = await worker.request();
    const headers = [
      ["content-type", "application/json"],
      ["content-encoding", "gzip"],
    ] as const;
    worker.head(id, 200, headers, packed, true);
  };
  const one = server.post("/v1/embeddings", { model: "m", input: "t0" });
  await answerPacked();
  const response = await one;
  expect([response.status, await response.text()]).toEqual([200, body]);
  const many = server.post("/v1/embeddings", { model: "m", input: texts(4) });
  await answerPacked();
  await answerPacked();
  const failed = await many;
  expect(failed.status).toBe(502);
  expect(await failed.json()).toMatchObject({ error: { message: expect.stringContaining("compressed") } });
});

test("each part has a request id of its own, and so has a part that is sent again", async () => {
  const [failing, good] = await Promise.all([1, 2].map(() => server.worker({ embedding_batch_size: 2 })));
  if (!failing || !good) throw new Error("two workers are connected");
  const idOf = ({ head }: RequestFrame): unknown => Object.fromEntries(head.headers)["x-request-id"];
  const reply = (frame: RequestFrame): void => {
    const data = inputsOf(frame).map((input, index) => ({ object: "embedding", index, embedding: vectorOf(input) }));
    good.answerJson(frame.id, { object: "list", data, model: "m", usage: { prompt_tokens: 2, total_tokens: 2 } });
  };
  const answer = server.post(
    "/v1/embeddings",
    { model: "m", input: texts(4) },
    { headers: { "x-request-id": "mine" } },
  );
  const parts = [await failing.request(), await good.request()] as const;
  failing.breakOff(parts[0].id, "upstream_error");
  reply(parts[1]);
  const again = await good.request();
  reply(again);
  const response = await answer;
  expect([response.status, response.headers.get("x-request-id")]).toEqual([200, "mine"]);
  expect([...parts, again].map(idOf).sort()).toEqual(["mine-1", "mine-2", "mine-3"]);
});
