import { BLOCK_TOKENS } from "./prefix-cache.ts";
import type { Message, Prompt } from "./trace.ts";

/** Tokens that end each prompt and are never cached: the start of the answer. */
const END_TOKENS = 10;
const CHARS_PER_TOKEN = 4;

/** A conversation so far: prompts that begin with it share its blocks. */
export interface Said {
  readonly blocks: readonly number[];
  readonly messages: readonly Message[];
}

/** Makes up what clients and models say. No two messages are the same. */
export class Speech {
  #blocks = 0;

  /** Adds a message of this many tokens to a conversation. */
  add({ blocks, messages }: Said, role: Message["role"], tokens: number): Said {
    const fresh = Array.from({ length: Math.ceil(tokens / BLOCK_TOKENS) }, (_, at) => this.#blocks + at);
    this.#blocks += fresh.length;
    const content = `${this.#blocks} `.padEnd(tokens * CHARS_PER_TOKEN, "x");
    return { blocks: [...blocks, ...fresh], messages: [...messages, { role, content }] };
  }
}

export const NOTHING_SAID: Said = { blocks: [], messages: [] };

export function toPrompt(said: Said): Prompt {
  return { ...said, restTokens: END_TOKENS };
}

/** A prompt that has nothing in common with any other one. */
export function ownPrompt(tokens: number): Prompt {
  return { blocks: [], restTokens: tokens };
}
