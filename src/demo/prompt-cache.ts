/** How many prompts are remembered. */
const MAX_PROMPTS = 32;
/** The part of a prompt that is remembered, in words. */
const MAX_WORDS = 4096;

/** Pretends to be a model server's prompt cache: it knows how much of a prompt also began an earlier one. */
export class PromptCache {
  /** The most recent last. */
  readonly #prompts: (readonly string[])[] = [];

  /** Remembers a prompt, and returns how many of its words were in the cache. The last word is always computed again. */
  take(prompt: readonly string[]): number {
    const begin = prompt.slice(0, MAX_WORDS);
    const cached = Math.max(0, ...this.#prompts.map((known) => commonPrefix(known, begin)));
    this.#prompts.push(begin);
    if (this.#prompts.length > MAX_PROMPTS) this.#prompts.shift();
    return Math.max(0, Math.min(cached, prompt.length - 1));
  }
}

function commonPrefix(first: readonly string[], second: readonly string[]): number {
  const end = second.findIndex((word, at) => first[at] !== word);
  return end === -1 ? second.length : end;
}
