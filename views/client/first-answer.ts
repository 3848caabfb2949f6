import { assertOk } from "./answers.ts";
import type { Arrived } from "./arrival.ts";
import { eventsOf } from "./events.ts";
import { duration, plural } from "./format.ts";
import { hearingModel, isEmbedding, type ModelRow } from "./model-kinds.ts";
import { type StreamedAnswer, speedOf } from "./streamed-answer.ts";
import { apiHeaders } from "./try-token.ts";
import type { WorkKind } from "./worker-setup.ts";

/** What a new worker has answered. */
export interface FirstAnswer {
  /** What was asked, for people. */
  readonly question: string;
  readonly text: string;
  /** The model, and how fast it was. */
  readonly figures: string;
}

export interface FirstQuestion {
  readonly kind: WorkKind;
  readonly worker: Arrived;
  /** What the pool says of its models. */
  readonly models: readonly ModelRow[];
  readonly signal: AbortSignal;
  /** Called with each piece of text as it arrives. */
  readonly onText: (text: string) => void;
}

/** The longest first answer in tokens. A model that thinks first needs some for its thoughts. */
const MAX_TOKENS = 200;
/** The most tools that are named. */
const MAX_NAMES = 12;

/** Asks a worker a first question of its kind. Rejects with what the server or the network says. */
export function askFirst(question: FirstQuestion): Promise<FirstAnswer> {
  if (question.kind === "mcp") return askTools(question);
  if (question.kind === "asr") return transcribe(question);
  const { worker, models } = question;
  const chat = worker.models.find((name) => !isEmbedding(name, models));
  return chat === undefined ? embed(question, worker.models[0] ?? "") : greet(question, chat);
}

const GREETING = "Say hello in one short sentence.";

async function greet({ worker, signal, onText }: FirstQuestion, model: string): Promise<FirstAnswer> {
  const startedAt = performance.now();
  const body = JSON.stringify({
    model,
    stream: true,
    max_tokens: MAX_TOKENS,
    messages: [{ role: "user", content: GREETING }],
  });
  const response = await post(`${baseOf(worker)}/chat/completions`, body, signal);
  const answer: StreamedAnswer = { startedAt, firstAt: 0, pieces: 0, tokens: null };
  let [text, thoughts] = ["", ""];
  for await (const data of eventsOf(response)) {
    if (data === "[DONE]") break;
    // As models send it; a missing part counts as no text.
    const { choices, usage, error } = JSON.parse(data) as {
      readonly choices?: readonly {
        readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null };
      }[];
      readonly usage?: { readonly completion_tokens?: number } | null;
      readonly error?: { readonly message?: string };
    };
    if (error) throw new Error(error.message ?? "the model failed");
    answer.tokens = usage?.completion_tokens ?? answer.tokens;
    const delta = choices?.[0]?.delta;
    const piece = delta?.content ?? "";
    const thought = delta?.reasoning_content ?? "";
    if (piece === "" && thought === "") continue;
    if (answer.firstAt === 0) answer.firstAt = performance.now();
    answer.pieces += 1;
    text += piece;
    thoughts += thought;
    onText(text || thoughts);
  }
  if (text === "" && thoughts === "") throw new Error("The worker answered without any text.");
  return { question: GREETING, text: text || thoughts, figures: `${model}: ${speedOf(answer, performance.now())}` };
}

async function embed({ worker, signal }: FirstQuestion, model: string): Promise<FirstAnswer> {
  const input = "a ship in the harbour";
  const startedAt = performance.now();
  const body = JSON.stringify({ model, input, encoding_format: "float" });
  const response = await post(`${baseOf(worker)}/embeddings`, body, signal);
  const { data } = (await response.json()) as { readonly data: readonly { readonly embedding: readonly number[] }[] }; // what the API promises
  const text = `A vector of ${data[0]?.embedding.length ?? 0} dimensions`;
  return { question: `Embed “${input}”`, text, figures: `${model}: ${duration(performance.now() - startedAt)}` };
}

/** Sends the built-in recording. Speech has no address for a single worker, so another one with the same model may answer. */
async function transcribe({ worker, signal }: FirstQuestion): Promise<FirstAnswer> {
  const model = hearingModel(worker.models);
  const audio = await assertOk(await fetch(new URL("ahoy.wav", import.meta.url), { signal }));
  const form = new FormData();
  form.append("model", model);
  form.append("file", new File([await audio.blob()], "ahoy.wav", { type: "audio/wav" }));
  const startedAt = performance.now();
  const init = { method: "POST", headers: await apiHeaders(), body: form, signal };
  const response = await assertOk(await fetch("/v1/audio/transcriptions", init));
  const { text } = (await response.json()) as { readonly text?: string }; // what the API promises
  const heard = text?.trim() ?? "";
  return {
    question: "Transcribe a recording of “Ship ahoy”",
    text: heard === "" ? "It heard no words." : heard,
    figures: `${model}: ${duration(performance.now() - startedAt)}`,
  };
}

async function askTools({ worker, signal }: FirstQuestion): Promise<FirstAnswer> {
  const startedAt = performance.now();
  const response = await assertOk(await fetch(`/api/mcp/catalog/${encodeURIComponent(worker.id)}`, { signal }));
  // The server's own; the OpenAPI document describes it.
  const { inventory } = (await response.json()) as {
    readonly inventory: {
      readonly told: boolean;
      readonly why: string | null;
      readonly tools: readonly { readonly name: string }[];
    };
  };
  if (!inventory.told) throw new Error(inventory.why ?? "The relay does not tell its tools.");
  const names = inventory.tools.map(({ name }) => name);
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return {
    question: "List your tools",
    text: names.length === 0 ? "It has no tools." : `${names.slice(0, MAX_NAMES).join(", ")}${more}`,
    figures: `${plural(names.length, "tool")}: ${duration(performance.now() - startedAt)}`,
  };
}

function baseOf({ id }: Arrived): string {
  return `/api/llm/id/${encodeURIComponent(id)}/v1`;
}

async function post(url: string, body: string, signal: AbortSignal): Promise<Response> {
  const headers = { ...(await apiHeaders()), "content-type": "application/json" };
  return assertOk(await fetch(url, { method: "POST", headers, body, signal }));
}
