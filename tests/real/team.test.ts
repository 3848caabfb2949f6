import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import OpenAI from "openai";
import { sha256 } from "../../src/auth/keys.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import type { ProgramRun } from "../support/program-run.ts";
import { RawClient } from "../support/raw-client.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PYTHON_PACKAGES } from "./environment.ts";
import { ANSWER, Llama, MODEL } from "./llama.ts";
import { type PythonServer, runClient } from "./python.ts";
import { Stack } from "./stack.ts";

const ROOT = join(import.meta.dir, "../..");
const ADMIN_KEY = "admin-key-of-the-lead-of-a-team-0123456789";
const SLOTS = 4;
/** Tokens of all slots together, for streams that outlast what a test does beside them. */
const CONTEXT = SLOTS * 65_536;

/** Each has a key of its own, in one file. */
const PEOPLE = 30;
const LIMITS = new Map([
  ["spent", "{ tokens_per_month: 20, timezone: Europe/Berlin }"],
  ["slow", "{ parallel: 1 }"],
  ["rated", "{ requests_per_minute: 1, on_limit: refuse }"],
]);
const NAMES = [...LIMITS.keys(), ...Array.from({ length: PEOPLE - LIMITS.size }, (_, at) => `person${at + 1}`)];
/** Leaves the team while an answer to it is on its way. */
const LEAVER = "person1";
/** People who never do anything else than ask and get whole answers. */
const CALM = NAMES.filter((name) => name.startsWith("person") && name !== LEAVER);

// Python and llama.cpp take seconds to start on a busy machine.
setDefaultTimeout(120_000);

interface Tokens {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** What is added up for a key, or for all of them. */
type Sum = readonly [requests: number, input: number, cached: number, output: number];

const NOTHING: Sum = [0, 0, 0, 0];
const plus = (a: Sum, b: Sum): Sum => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];

const keyOf = (name: string): string => `key-of-${name}-${sha256(name)}`;
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

function fileOf(names: readonly string[]): string {
  const lines = names.map((name, at) => {
    const limits = LIMITS.get(name) ?? "{ parallel: 4, tokens_per_day: 2M }";
    return `  - { name: ${name}, key: "sha256:${sha256(keyOf(name))}", tenant: team${at % 3}, limits: ${limits} }`;
  });
  return `keys:\n${lines.join("\n")}\n`;
}

describe.skipIf(lacks("a team with a key for each person", PROGRAMS.python, PYTHON_PACKAGES))(
  "a team of thirty, each with a key in one file,",
  () => {
    const folder = temporaryDirectory();
    const file = join(folder.path, "keys.yaml");
    let llama: Llama;
    let backend: PythonServer;
    let stack: Stack;
    let worker: ProgramRun;
    /** What llama.cpp stated in each answer, by the name of the person who asked. */
    const stated = new Map<string, Sum>();

    beforeAll(async () => {
      await Bun.write(file, fileOf(NAMES));
      llama = await Llama.prepare();
      backend = await llama.serve("chat", SLOTS, CONTEXT);
      stack = await Stack.start({ API_KEY: "", ADMIN_KEY, KEYS_FILE: file, DATA_DIR: join(folder.path, "data") });
      worker = await stack.worker(["llm", "--backend", `${backend.url}/v1`, "--max-concurrency", String(SLOTS)]);
    });
    afterAll(async () => {
      await stack.stop();
      await llama.stop();
      folder.remove();
    });

    const state = (name: string, tokens: Tokens): void => {
      const { prompt_tokens: input, completion_tokens: output, prompt_tokens_details: details } = tokens;
      stated.set(name, plus(stated.get(name) ?? NOTHING, [1, input, details.cached_tokens, output]));
    };

    const post = (key: string, more: object = {}, question = "What burns?"): Promise<Response> =>
      stack.post(
        "/v1/chat/completions",
        { model: MODEL, messages: [{ role: "user", content: question }], ...more },
        { headers: bearer(key) },
      );

    /** Asks for a whole answer, and takes down what llama.cpp states in it. */
    async function ask(name: string): Promise<string | null> {
      const response = await post(keyOf(name));
      expect([name, response.status]).toEqual([name, 200]);
      const { choices, usage } = (await response.json()) as OpenAI.ChatCompletion & { usage: Tokens }; // as llama.cpp answers
      state(name, usage);
      return choices[0]?.message.content ?? null;
    }

    /** Asks for a stream by the official SDK, and takes down what llama.cpp states at its end. */
    async function askForStream(name: string): Promise<string> {
      const client = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: keyOf(name), maxRetries: 0 });
      const stream = await client.chat.completions.create({
        model: MODEL,
        messages: [{ role: "user", content: "What burns?" }],
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = "";
      for await (const { choices, usage } of stream) {
        text += choices[0]?.delta.content ?? "";
        if (usage) state(name, usage as Tokens); // as llama.cpp answers
      }
      return text;
    }

    /** Begins a stream that lasts until its client is killed, because the client reads only its beginning. */
    async function endless(name: string): Promise<RawClient> {
      const client = new RawClient(stack.url);
      const body = JSON.stringify({
        model: MODEL,
        stream: true,
        messages: [{ role: "user", content: "Go on forever." }],
      });
      await client.write(
        `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keyOf(name)}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await eventually(() => client.bytes > 0, "the stream begins", 60_000);
      await client.readUntil("data: {");
      await client.pause();
      return client;
    }

    const asLead = (path: string): Promise<Response> => stack.fetch(path, { headers: bearer(ADMIN_KEY) });

    /** The requests of a person that wait at a limit. */
    async function held(name: string): Promise<readonly [number, string | null]> {
      const answer = await asLead("/api/state");
      // Its own tests hold this shape.
      const { plugins } = (await answer.json()) as {
        plugins: { llm: { callers: { name: string; held: number; limit: string | null }[] } };
      };
      const caller = plugins.llm.callers.find((each) => each.name === `file:${name}`);
      return [caller?.held ?? 0, caller?.limit ?? null];
    }

    async function busySlots(): Promise<number> {
      // llama.cpp closes a connection after a stream without announcing it.
      const slots = await (await fetch(`${backend.url}/slots`, { keepalive: false })).json();
      return (slots as readonly { is_processing: boolean }[]).filter((slot) => slot.is_processing).length; // as llama.cpp lists them
    }

    /** Runs a command as the lead does, and returns what it printed. */
    async function moorage(...args: string[]): Promise<string> {
      const child = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
        cwd: ROOT,
        env: { PATH: process.env["PATH"] ?? "", SERVER_URL: stack.url, ADMIN_KEY },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect([code, err]).toEqual([0, ""]);
      return out;
    }

    /** The rows of the lead's CSV as objects. No name in it needs quotes. */
    async function csv(...args: string[]): Promise<readonly Readonly<Record<string, string>>[]> {
      const [head = "", ...lines] = (await moorage("usage", "--csv", ...args)).trimEnd().split("\r\n");
      const names = head.split(",");
      return lines.map((line) => Object.fromEntries(line.split(",").map((cell, at) => [names[at] ?? "", cell])));
    }

    const sumOf = (row: Readonly<Record<string, string>>): Sum => [
      Number(row["requests"]),
      Number(row["input_tokens"]),
      Number(row["cached_tokens"]),
      Number(row["output_tokens"]),
    ];

    test("get answers, all at once", async () => {
      const names = NAMES.filter((name) => name !== "rated");
      expect(new Set(await Promise.all(names.map(ask)))).toEqual(new Set([ANSWER]));
      const streaming = names.filter((name) => name !== "spent");
      expect(new Set(await Promise.all(streaming.map(askForStream)))).toEqual(new Set([ANSWER]));
    });

    test("are refused one by one: over the budget, above the rate, and mistyped, as Anthropic's SDK sees it", async () => {
      const keys = [keyOf("spent"), keyOf("rated"), "mk_mistyped"];
      const seen = await runClient("anthropic_limits.py", [stack.url, MODEL, ...keys]);
      const limited = { error: "RateLimitError", type: "rate_limit_error", has_request_id: true, requests: 1 };
      expect(seen).toMatchObject({
        spent: { ...limited, code: "insufficient_quota", remaining_tokens: "0", retry_after: null },
        first: { status: 200 },
        rated: { ...limited, code: "rate_limit_exceeded", remaining_requests: "0" },
        revoked: { error: "AuthenticationError", code: "invalid_api_key", has_request_id: true, requests: 1 },
      });
    });

    test("wait at a limit of their own while all others get answers", async () => {
      const first = await endless("slow");
      const second = post(keyOf("slow"));
      await eventually(async () => (await held("slow"))[0] === 1, "the second request waits", 60_000);
      expect(new Set(await Promise.all(CALM.map(ask)))).toEqual(new Set([ANSWER]));
      expect(await held("slow")).toEqual([1, "parallel"]);
      await first.kill();
      expect((await second).status).toBe(200);
    });

    test("lose one who is taken out of the file while an answer streams, and nobody else", async () => {
      const other = await endless("person2");
      const client = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: keyOf(LEAVER), maxRetries: 2 });
      const stream = await client.chat.completions.create({
        model: MODEL,
        messages: [{ role: "user", content: "Go on forever." }],
        stream: true,
      });
      let chunks = 0;
      const error: unknown = await (async () => {
        for await (const _ of stream) {
          chunks += 1;
          if (chunks === 1) await Bun.write(file, fileOf(NAMES.filter((name) => name !== LEAVER)));
        }
      })().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(OpenAI.APIError);
      expect(error).toMatchObject({ code: "key_revoked", type: "authentication_error" });
      expect((await post(keyOf(LEAVER))).status).toBe(401);
      // Only the other stream still runs at llama.cpp.
      await eventually(async () => (await busySlots()) === 1, "the slot of the stream is free", 60_000);
      await other.kill();
      await eventually(async () => (await busySlots()) === 0, "all slots are free", 60_000);
      expect(await ask("person3")).toBe(ANSWER);
    });

    test("find in the CSV what llama.cpp has stated, at every grouping", async () => {
      const rows = await csv("--by", "key,model", "--step", "day", "--since", "2d");
      expect(new Set(rows.map((row) => row["model"]))).toEqual(new Set([MODEL]));
      for (const name of CALM.filter((each) => each !== "person2")) {
        const own = rows.filter((row) => row["key"] === `file:${name}`);
        expect([name, own.map(sumOf).reduce(plus, NOTHING)]).toEqual([name, stated.get(name) ?? NOTHING]);
        expect(own.map((row) => row["estimated"])).toEqual(own.map(() => "0"));
      }
      const all = rows.map(sumOf).reduce(plus, NOTHING);
      for (const by of ["key", "model", "end_user", "key,model,end_user"])
        for (const step of ["minute", "hour", "day"]) {
          const grouped = await csv("--by", by, "--step", step, "--since", "1d");
          expect([by, step, grouped.map(sumOf).reduce(plus, NOTHING)]).toEqual([by, step, all]);
        }
    });

    test("lose nothing in a restart: neither usage, budgets and trail, nor a key that was created beside the file", async () => {
      const made = await stack.post("/api/keys", { name: "guest" }, { headers: bearer(ADMIN_KEY) });
      const { key } = (await made.json()) as { key: string }; // its own tests hold this shape
      const kept = async (): Promise<readonly string[]> => [
        await moorage("usage", "--by", "key,model", "--csv"),
        await moorage("audit"),
        await (await asLead("/api/state/jobs?outcome=failed")).text(),
      ];
      const before = await kept();
      expect(before[1]).toContain("key.create");
      expect(before[2]).toContain("insufficient_quota");
      await stack.restart();
      await worker.event("link.opened");
      expect(await kept()).toEqual(before);
      const refused = await post(keyOf("spent"));
      expect([refused.status, refused.headers.get("x-ratelimit-remaining-tokens")]).toEqual([429, "0"]);
      expect([(await post(key)).status, (await post(keyOf(LEAVER))).status]).toEqual([200, 401]);
      expect(await ask("person4")).toBe(ANSWER);
    });
  },
);
