import * as v from "valibot";
import { countField, modelField } from "./fields.ts";
import { MAX_MODELS } from "./names.ts";

// What a worker says of its models beside their ids. It comes from model servers, so every part is bounded and optional.

/** More tokens than any model takes. */
const MAX_TOKENS = 1_000_000_000;

const WORD_FORM = "1 to 32 lower-case letters, digits, _ and -, the first of them a letter";
const wordField = v.pipe(v.string(WORD_FORM), v.regex(/^[a-z][a-z0-9_-]{0,31}$/, WORD_FORM));

const WORDS_FORM = "at most 16 words";
const wordsField = v.pipe(v.array(wordField, WORDS_FORM), v.maxLength(16, WORDS_FORM));

const tokensField = v.nullish(countField(MAX_TOKENS));

export const modelInfoSchema = v.object({
  id: modelField,
  /** The backend's name for the model, where the worker offers it under another one. Requests are sent with it. */
  sent_as: v.nullish(modelField),
  type: v.nullish(wordField),
  /** Tokens that the backend takes for one request, input and output together. */
  context_length: tokensField,
  /** Tokens that the model could take. */
  max_context_length: tokensField,
  input_modalities: v.nullish(wordsField),
  output_modalities: v.nullish(wordsField),
  /** Whether the model is in memory: `loaded`, `unloaded` or a word of the backend's own. */
  status: v.nullish(wordField),
});

const LIST_FORM = `a list of at most ${MAX_MODELS} objects`;
export const modelInfoField = v.pipe(v.array(modelInfoSchema, LIST_FORM), v.maxLength(MAX_MODELS, LIST_FORM));

/** What a worker says of one of its models. */
export type ModelInfo = v.InferOutput<typeof modelInfoSchema>;

/** Returns whether a word may be a type, a modality or a status. */
export function isInfoWord(word: string): boolean {
  return v.is(wordField, word);
}

/** Returns whether a number of tokens may be told. */
export function isTokenCount(count: unknown): count is number {
  return v.is(countField(MAX_TOKENS), count) && count > 0;
}
