import { isRecord } from "../json/parse.ts";
import { isInfoWord, isTokenCount, type ModelInfo } from "../wire/model-info.ts";

// What model servers say of a model in their lists, each in fields of its own.

type Entry = Readonly<Record<string, unknown>>;

/**
 * Reads an entry of a model server's list. Fields that several servers use come first: `context_length` (OpenRouter and
 * most gateways), `max_model_len` (vLLM), `loaded_context_length` (LM Studio), `context_window` (Groq) and `meta.n_ctx`
 * (llama.cpp) are what the server takes; `max_context_length` (LM Studio), `meta.n_ctx_train` (llama.cpp) and
 * `details.context_length` (Ollama) are what the model could take. Undefined if the entry says nothing of this kind.
 */
export function toInfo(id: string, entry: Entry): ModelInfo | undefined {
  const meta = recordIn(entry, "meta");
  const capabilities = wordsIn(entry, "capabilities");
  const modalities = { ...entry, ...recordIn(entry, "architecture") };
  const info: ModelInfo = {
    id,
    type: typeIn(entry, capabilities),
    context_length:
      tokens(entry["context_length"]) ??
      tokens(entry["max_model_len"]) ??
      tokens(entry["loaded_context_length"]) ??
      tokens(entry["context_window"]) ??
      tokens(meta["n_ctx"]),
    max_context_length:
      tokens(entry["max_context_length"]) ??
      tokens(meta["n_ctx_train"]) ??
      tokens(recordIn(entry, "details")["context_length"]),
    input_modalities: wordsIn(modalities, "input_modalities") ?? inputsFrom(capabilities, entry["type"]),
    output_modalities: wordsIn(modalities, "output_modalities"),
    status: word(recordIn(entry, "status")["value"]) ?? stateIn(entry),
  };
  return withoutGaps(info);
}

/** Joins two accounts of one model; what the first one says counts. */
export function joinedInfo(first: ModelInfo | undefined, second: ModelInfo | undefined): ModelInfo | undefined {
  return first && second ? { ...second, ...first } : (first ?? second);
}

function withoutGaps(info: ModelInfo): ModelInfo | undefined {
  const said = Object.entries(info).filter(([, value]) => value !== undefined);
  // The id alone says nothing. The rest are the fields of a ModelInfo.
  return said.length > 1 ? (Object.fromEntries(said) as ModelInfo) : undefined;
}

/** Words of model servers for what a model does, by the type that `/v1/models` names. */
const TYPES: readonly (readonly [type: string, words: RegExp])[] = [
  ["embedding", /^(?:embed|embeddings?|feature-extraction|sentence-similarity)$/],
  ["rerank", /^(?:rerank|reranker|text-ranking)$/],
  ["transcription", /^(?:transcription|automatic-speech-recognition|speech_to_text|audio_transcription|asr|stt)$/],
  ["speech", /^(?:speech|text-to-speech|text_to_speech|audio_speech|tts)$/],
  ["image", /^(?:image|images|text-to-image|image_generation)$/],
  [
    "chat",
    /^(?:chat|llm|vlm|language|completion|completions|tools|text-generation|image-text-to-text|text2text-generation)$/,
  ],
];

function typeIn(entry: Entry, capabilities: readonly string[] | undefined): string | undefined {
  const stated = [entry["type"], entry["task"], entry["mode"]].flatMap((value) => word(value) ?? []);
  const all = [...stated, ...(wordsIn(entry, "categories") ?? []), ...(capabilities ?? [])];
  // A model that chats and also does something else is for chat.
  if (capabilities?.some((each) => each === "completion" || each === "chat")) return "chat";
  return TYPES.find(([, words]) => all.some((each) => words.test(each)))?.[0];
}

/** Ollama's and LM Studio's capabilities tell the kinds of input. */
function inputsFrom(capabilities: readonly string[] | undefined, type: unknown): string[] | undefined {
  const seesImages = type === "vlm" || capabilities?.includes("vision") === true;
  const hears = capabilities?.includes("audio") === true;
  const isText = type === "llm" || capabilities?.some((each) => /^(?:completion|chat|embedding)$/.test(each)) === true;
  if (!seesImages && !hears && !isText) return undefined;
  return ["text", ...(seesImages ? ["image"] : []), ...(hears ? ["audio"] : [])];
}

/** LM Studio's word for a model that is not in memory is `not-loaded`. */
function stateIn(entry: Entry): string | undefined {
  const state = word(entry["state"]);
  return state === "not-loaded" ? "unloaded" : state;
}

function tokens(value: unknown): number | undefined {
  return isTokenCount(value) ? value : undefined;
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && isInfoWord(value) ? value : undefined;
}

const MAX_WORDS = 16;

function wordsIn(entry: Entry, name: string): string[] | undefined {
  const value = Object.hasOwn(entry, name) ? entry[name] : undefined;
  if (!Array.isArray(value)) return undefined;
  return value.filter((each) => word(each) !== undefined).slice(0, MAX_WORDS);
}

function recordIn(entry: Entry, name: string): Entry {
  const value = Object.hasOwn(entry, name) ? entry[name] : undefined;
  return isRecord(value) ? value : {};
}
