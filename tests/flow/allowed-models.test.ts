import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createCaller } from "../../src/auth/caller.ts";
import { configuredKeys, type KeyRecord, type KeySources, sha256 } from "../../src/auth/keys.ts";
import { FORM_TYPE, formBytes } from "../support/audio-form.ts";
import type { Config } from "../support/default-config.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

const LIMITED = "key-of-one-team";
const LOCKED = "key-without-models";

/** Keys that may use only the models of these names. */
const MODELS: Readonly<Record<string, readonly string[]>> = { [LIMITED]: ["open", "heard"], [LOCKED]: [] };

/** The configuration's keys and, beside them, keys with a list of models. */
function limitedKeys(config: Config): KeySources {
  const configured = configuredKeys(config);
  const records = new Map<string, KeyRecord>();
  for (const [key, models] of Object.entries(MODELS)) {
    const may = (model: string): boolean => models.includes(model);
    records.set(sha256(key), { ...createCaller("team"), may, owner: "team" });
  }
  const find = (hash: string): KeyRecord | undefined => records.get(hash) ?? configured.api.find(hash);
  return { ...configured, api: { isEmpty: false, find, hasOwner: () => false } };
}

let server: TestServer;
let worker: NativeWorker;

beforeEach(async () => {
  server = new TestServer({ plugins: ["llm", "asr"] }, {}, undefined, limitedKeys);
  worker = await server.worker({ worker_id: "gpu", models: ["open", "secret"], max_concurrency: 4 });
});
afterEach(() => server.stop());

const by = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });

async function listed(path: string, key: string): Promise<readonly string[]> {
  const { data } = (await (await server.fetch(path, by(key))).json()) as { data: { id: string }[] }; // OpenAI's list
  return data.map(({ id }) => id);
}

async function refusalOf(answer: Promise<Response>): Promise<{ readonly status: number; readonly message: string }> {
  const response = await answer;
  const { error } = (await response.json()) as { error: { code: string; message: string; param: string } }; // the shape of every error
  expect([error.code, error.param]).toEqual(["model_not_found", "model"]);
  return { status: response.status, message: error.message };
}

/** Ollama's two names for one model count as one. */
test("a caller sees and uses a model that it may use under either of Ollama's names for it", async () => {
  const ollama = await server.worker({ worker_id: "ollama", models: ["heard:latest"], max_concurrency: 1 });
  expect(await listed("/v1/models", LIMITED)).toEqual(["heard:latest", "open"]);
  for (const name of ["heard", "heard:latest", "library/heard"]) {
    expect((await server.fetch(`/v1/models/${name}`, by(LIMITED))).status).toBe(200);
    const answer = chat(name);
    ollama.answerJson((await ollama.request()).id, {});
    expect((await answer).status).toBe(200);
  }
});

const chat = (model: string, key = LIMITED): Promise<Response> => server.chat(model, {}, by(key));

describe("a caller that may use some models", () => {
  test.each(["/v1/models", "/api/llm/v1/models", "/api/llm/id/gpu/v1/models"])(
    "sees only these in %s",
    async (path) => {
      expect(await listed(path, LIMITED)).toEqual(["open"]);
      expect(await listed(path, LOCKED)).toEqual([]);
      expect((await server.fetch(`${path}/open`, by(LIMITED))).status).toBe(200);
      const { message } = await refusalOf(server.fetch(`${path}/secret`, by(LIMITED)));
      expect(message).toBe("The model 'secret' is not served on this route. Available models: 'open'.");
    },
  );

  test("can use them", async () => {
    const answer = chat("open");
    worker.answerJson((await worker.request()).id, {});
    expect((await answer).status).toBe(200);
  });

  test("gets the same answer for a forbidden model as for one that does not exist", async () => {
    const [forbidden, unknown] = await Promise.all([refusalOf(chat("secret")), refusalOf(chat("nobody"))]);
    expect(forbidden.status).toBe(404);
    expect(forbidden.message).toBe(unknown.message.replace("nobody", "secret"));
    expect(forbidden.message).toEndWith("Available models: 'open'.");
  });

  test("gets that answer also for embeddings, for one worker, and for audio", async () => {
    const register = { client_key: CLIENT_KEY, models: ["secret", "heard"], max_concurrency: 1 };
    await NativeWorker.connect({ url: server.url, path: "/api/asr/connect", register });
    const embeddings = server.post("/v1/embeddings", { model: "secret", input: ["a", "b"] }, by(LIMITED));
    await refusalOf(embeddings);
    await refusalOf(server.post("/api/llm/id/gpu/v1/chat/completions", { model: "secret" }, by(LIMITED)));
    const form = formBytes([
      { name: "model", value: "secret" },
      { name: "file", value: "x", filename: "x.wav" },
    ]);
    const headers = { ...by(LIMITED).headers, "content-type": FORM_TYPE };
    const audio = await refusalOf(server.fetch("/v1/audio/transcriptions", { method: "POST", body: form, headers }));
    expect(audio.message).toEndWith("Available models: 'heard'.");
  });

  test("takes no place in the queue for a forbidden model", async () => {
    const answers = Array.from({ length: 4 }, () => chat("open"));
    const requests = [];
    for (const _ of answers) requests.push(await worker.request());
    await refusalOf(chat("secret"));
    expect((await server.state()).server["scheduler_queue_len"]).toBe(0);
    for (const { id } of requests) worker.answerJson(id, {});
    for (const answer of answers) expect((await answer).status).toBe(200);
  });
});

test("a caller that may use no model learns nothing about those that are served", async () => {
  const { message } = await refusalOf(chat("secret", LOCKED));
  expect(message).toBe("The model 'secret' is not served on this route.");
});

test("during the grace period after the start a forbidden model is refused at once, whether or not anyone serves it", async () => {
  await server.stop();
  server = new TestServer({ startGraceMs: 60_000 }, {}, undefined, limitedKeys);
  const before = await refusalOf(chat("secret"));
  worker = await server.worker({ models: ["secret"], client_key: CLIENT_KEY });
  const { message } = await refusalOf(chat("secret"));
  expect(before.message).toBe("The model 'secret' is not served on this route: no worker is connected.");
  expect(message).toBe("The model 'secret' is not served on this route.");
});

test("keys in the configuration may use every model", async () => {
  expect(await listed("/v1/models", "test-api-key")).toEqual(["open", "secret"]);
});
