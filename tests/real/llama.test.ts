import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PYTHON_PACKAGES } from "./environment.ts";
import { ANSWER, Llama, MODEL } from "./llama.ts";
import { type PythonServer, runClient } from "./python.ts";
import { API_KEY, Stack } from "./stack.ts";

/** Asks llama.cpp itself, each time on a new connection: it closes the old one after a stream without announcing it. */
const askDirectly = (url: string, init: RequestInit = {}): Promise<Response> =>
  fetch(url, { ...init, keepalive: false });

const SLOTS = 2;
/** Tokens of both slots together. */
const CONTEXT = 32_768;

// Python and llama.cpp take seconds to start on a busy machine.
setDefaultTimeout(120_000);

/** The part of the State API that is looked at here. */
interface State {
  readonly plugins: {
    readonly llm: {
      readonly workers: readonly {
        readonly id: string;
        readonly max_concurrency: number;
        readonly input_tokens_total: number;
        readonly output_tokens_total: number;
        readonly estimated_output_tokens_total: number;
      }[];
    };
  };
}

interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly estimated: number;
}

function difference(now: Tokens, before: Tokens): Tokens {
  return {
    input: now.input - before.input,
    output: now.output - before.output,
    estimated: now.estimated - before.estimated,
  };
}

/** A question in the words of each API that streams tokens. */
const QUESTIONS: Readonly<Record<string, object>> = {
  "/v1/chat/completions": { messages: [{ role: "user", content: "What burns, and where?" }] },
  // The model knows one continuation of this token. After a prompt of plain text, several tokens are equally likely.
  "/v1/completions": { prompt: "<|answer|>" },
  "/v1/messages": { messages: [{ role: "user", content: "What burns at sea?" }] },
  "/v1/responses": { input: "What burns at night?" },
};

/** A stream without what differs between two runs of one request: ids, times, and what the cache of the first one saved. */
function withoutTimes(stream: string): string {
  return stream
    .replaceAll(/"(?:id|item_id|response_id|encrypted_content)":"[^"]*"/g, '"id":""')
    .replaceAll(/"(?:created|created_at|completed_at)":\d+/g, '"created":0')
    .replaceAll(/"timings":\{[^}]*\}/g, '"timings":{}')
    .replaceAll(/"(?:cached_tokens|cache_read_input_tokens|input_tokens)":\d+/g, '"cached":0')
    .replaceAll(/^: .*\n/gm, "");
}

describe.skipIf(lacks("a real llama.cpp", PROGRAMS.python, PYTHON_PACKAGES))(
  "with a real llama.cpp behind a worker",
  () => {
    let llama: Llama;
    let chat: PythonServer;
    let stack: Stack;

    beforeAll(async () => {
      llama = await Llama.prepare();
      chat = await llama.serve("chat", SLOTS, CONTEXT);
      stack = await Stack.start();
      await stack.worker(["llm", "--backend", `${chat.url}/v1`, "--max-concurrency", String(SLOTS)]);
    });
    afterAll(async () => {
      await stack.stop();
      await llama.stop();
    });

    const ask = (content: string, more: object = {}): Promise<Response> =>
      stack.post("/v1/chat/completions", { model: MODEL, messages: [{ role: "user", content }], ...more });

    /** The tokens that the server has counted, and how many of the output tokens are an estimate. */
    async function tokens(): Promise<Tokens> {
      const { workers } = ((await (await stack.fetch("/api/state")).json()) as State).plugins.llm;
      const sum = (field: keyof (typeof workers)[number]): number =>
        workers.reduce((total, worker) => total + Number(worker[field]), 0);
      return {
        input: sum("input_tokens_total"),
        output: sum("output_tokens_total"),
        estimated: sum("estimated_output_tokens_total"),
      };
    }

    async function busySlots(): Promise<number> {
      const slots = await (await askDirectly(`${chat.url}/slots`)).json();
      // llama.cpp lists its slots so.
      return (slots as readonly { is_processing: boolean }[]).filter((slot) => slot.is_processing).length;
    }

    test("OpenAI's SDK gets answers, streams, tool calls, responses and usage", async () => {
      expect(await runClient("openai_sdk.py", [`${stack.url}/v1`, API_KEY, MODEL])).toMatchObject({
        models: [MODEL],
        model: MODEL,
        chat: ANSWER,
        chat_usage: [true, 13],
        stream: ANSWER,
        stream_usage: 13,
        tool: ["get_weather", { city: "Lisbon" }],
        after_tool: ANSWER,
        tool_stream: ["get_weather", { city: "Lisbon" }],
        responses: ANSWER,
        responses_stream: ANSWER,
        completion: " round and again",
      });
    });

    test("Anthropic's SDK gets messages, streams, token counts, tool calls and errors of its own kind", async () => {
      expect(await runClient("anthropic_sdk.py", [stack.url, API_KEY, MODEL])).toMatchObject({
        message: ANSWER,
        output_tokens: 13,
        stream: ANSWER,
        stop_reason: "end_turn",
        counted: true,
        tool: ["get_weather", { city: "Lisbon" }],
        unknown: { type: "error", error: { type: "not_found_error" } },
        unknown_request_id: true,
      });
    });

    test("a stream whose client does not ask for its usage is counted exactly, and arrives as llama.cpp sends it", async () => {
      for (const path of ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"]) {
        const request = { ...QUESTIONS[path], model: MODEL, stream: true, max_tokens: 40 };
        const before = await tokens();
        const through = await (await stack.post(path, request)).text();
        const counted = difference(await tokens(), before);
        const direct = await (
          await askDirectly(`${chat.url}${path}`, { method: "POST", body: JSON.stringify(request) })
        ).text();
        expect(withoutTimes(through)).toBe(withoutTimes(direct));
        const asked = { ...request, stream: false, stream_options: undefined };
        const whole = await askDirectly(`${chat.url}${path}`, { method: "POST", body: JSON.stringify(asked) });
        const { usage } = (await whole.json()) as { readonly usage: Readonly<Record<string, number>> }; // as in each API
        // Anthropic's API leaves out what was in the cache.
        const cached = path === "/v1/messages" ? (usage["cache_read_input_tokens"] ?? 0) : 0;
        const input = (usage["prompt_tokens"] ?? usage["input_tokens"] ?? 0) + cached;
        const output = usage["completion_tokens"] ?? usage["output_tokens"] ?? 0;
        expect([path, counted]).toEqual([path, { input, output, estimated: 0 }]);
      }
    });

    test("a stream that its client leaves counts what it has sent, as an estimate", async () => {
      const before = await tokens();
      const leaving = new AbortController();
      const request = { model: MODEL, stream: true, messages: [{ role: "user", content: "Go on forever." }] };
      const answer = await stack.post("/v1/chat/completions", request, { signal: leaving.signal });
      const reader = (answer.body ?? expect.unreachable()).getReader();
      for (let bytes = 0; bytes < 20_000; ) bytes += (await reader.read()).value?.length ?? 0;
      leaving.abort();
      await eventually(async () => difference(await tokens(), before).estimated > 0, "the stream is counted", 10_000);
      const { output, estimated } = difference(await tokens(), before);
      expect(output).toBeGreaterThan(20_000 / 400);
      expect(estimated).toBe(output);
    });

    test("a thousand streams that follow each other at once all arrive whole", async () => {
      let next = 0;
      const bad: string[] = [];
      const client = async (): Promise<void> => {
        while (next < 1000) {
          next += 1;
          const answer = await ask("What burns?", { stream: true });
          const text = await answer.text();
          if (answer.status !== 200 || !text.endsWith("data: [DONE]\n\n"))
            bad.push(`${answer.status} ${text.slice(-300)}`);
        }
      };
      await Promise.all([client(), client(), client(), client()]);
      expect(bad).toEqual([]);
    });

    test("a client that leaves a stream without an end frees its slot in llama.cpp", async () => {
      const leaving = new AbortController();
      const answer = await stack.post(
        "/v1/chat/completions",
        { model: MODEL, stream: true, messages: [{ role: "user", content: "Go on forever." }] },
        { signal: leaving.signal },
      );
      const reader = (answer.body ?? expect.unreachable()).getReader();
      await reader.read();
      expect(await busySlots()).toBe(1);
      leaving.abort();
      await eventually(async () => (await busySlots()) === 0, "the slot is idle", 10_000);
      expect((await ask("What burns?")).status).toBe(200);
    });

    test("a prompt of 400 kB is read, and one that exceeds the context is refused as llama.cpp refuses it", async () => {
      const long = await ask("=".repeat(400_000));
      expect(long.status).toBe(200);
      expect(await long.json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
      const tooLong = "ab".repeat(20_000);
      for (const stream of [false, true]) {
        const refused = await ask(tooLong, { stream });
        expect(refused.status).toBe(400);
        const direct = await askDirectly(`${chat.url}/v1/chat/completions`, {
          method: "POST",
          body: JSON.stringify({ model: MODEL, stream, messages: [{ role: "user", content: tooLong }] }),
        });
        expect(await refused.text()).toBe(await direct.text());
      }
    });

    test("embeddings split into parts equal those that llama.cpp gives in one piece", async () => {
      const embed = await llama.serve("embed", SLOTS, CONTEXT);
      const worker = await stack.worker([
        "llm",
        "--backend",
        `${embed.url}/v1`,
        "--id",
        "embedder",
        "--embedding-batch-size",
        "16",
      ]);
      const input = Array.from({ length: 100 }, (_, index) => `text number ${index * 7919}`);
      const through = await stack.post("/api/llm/id/embedder/v1/embeddings", { model: MODEL, input });
      const direct = await askDirectly(`${embed.url}/v1/embeddings`, {
        method: "POST",
        body: JSON.stringify({ model: MODEL, input }),
      });
      const original = (await direct.json()) as { data: readonly unknown[]; usage: object }; // As OpenAI's API has it.
      expect(original.data).toHaveLength(input.length);
      expect(await through.json()).toMatchObject({ data: original.data, usage: original.usage });
      await worker.stop();
    });

    test.each([
      ["chat", "chat"],
      ["embed", "embedding"],
      ["rerank", "rerank"],
    ] as const)(
      "the list of models says what a server in mode %s is for, its context and its slots",
      async (mode, type) => {
        const server = await llama.serve(mode, SLOTS, CONTEXT);
        const id = `listed-${mode}`;
        const worker = await stack.worker([
          "llm",
          "--backend",
          server.url,
          "--id",
          id,
          "--rename",
          `shown-${mode}=${MODEL}`,
        ]);
        const list = await stack.fetch(`/api/llm/id/${id}/v1/models`);
        expect(await list.json()).toMatchObject({
          data: [{ id: `shown-${mode}`, type, context_length: CONTEXT / SLOTS, max_model_len: CONTEXT / SLOTS }],
        });
        const state = (await (await stack.fetch("/api/state")).json()) as State;
        expect(state.plugins.llm.workers.find((each) => each.id === id)?.max_concurrency).toBe(SLOTS);
        await worker.stop();
      },
    );

    test("a reranker's scores arrive as llama.cpp gives them", async () => {
      const rerank = await llama.serve("rerank", SLOTS, CONTEXT);
      const worker = await stack.worker([
        "llm",
        "--backend",
        `${rerank.url}/v1`,
        "--id",
        "reranker",
        "--rename",
        `scorer=${MODEL}`,
      ]);
      const question = { model: MODEL, query: "light", documents: ["a harbour light", "a cat", "far away"] };
      const direct = await askDirectly(`${rerank.url}/v1/rerank`, { method: "POST", body: JSON.stringify(question) });
      const scores = await direct.json();
      for (const path of ["/api/llm/id/reranker/v1/rerank", "/rerank", "/v1/rerank", "/v2/rerank"]) {
        const through = await stack.post(path, { ...question, model: "scorer" });
        expect(through.status).toBe(200);
        expect(await through.json()).toEqual(scores);
      }
      await worker.stop();
    });
  },
);

describe.skipIf(lacks("a llama.cpp that is killed", PROGRAMS.python, PYTHON_PACKAGES))(
  "when a real llama.cpp is killed",
  () => {
    test("a running stream ends with an error event, and its successor on the same port serves the next request", async () => {
      const llama = await Llama.prepare();
      const first = await llama.serve("chat", SLOTS, CONTEXT);
      const stack = await Stack.start();
      await stack.worker(["llm", "--backend", `${first.url}/v1`, "--watch-interval", "1s"]);
      const body = { model: MODEL, stream: true, messages: [{ role: "user", content: "Go on forever." }] };
      const answer = await stack.post("/v1/chat/completions", body);
      const reader = (answer.body ?? expect.unreachable()).getReader();
      const decoder = new TextDecoder();
      let text = decoder.decode((await reader.read()).value);
      await first.kill();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read())
        text += decoder.decode(piece.value);
      expect(text).not.toContain("[DONE]");
      expect(text).toContain('"code":"upstream_error"');
      await llama.serve("chat", SLOTS, CONTEXT, Number(new URL(first.url).port));
      await eventually(
        async () => {
          const next = await stack.post("/v1/chat/completions", {
            ...body,
            messages: [{ role: "user", content: "?" }],
          });
          return (await next.text()).endsWith("data: [DONE]\n\n");
        },
        "the new llama.cpp answers",
        20_000,
      );
      await stack.stop();
      await llama.stop();
    });
  },
);
