/** Tokens of a block: the unit in which model servers with a prefix cache keep prompts. */
export const BLOCK_TOKENS = 64;

/** The prefix cache of a model server: blocks of prompts, the least recently used of which goes first. */
export class PrefixCache {
  readonly #capacity: number;
  /** The blocks, least recently used first. */
  readonly #blocks = new Set<number>();

  /** `tokens` is how much fits into it. */
  constructor(tokens: number) {
    this.#capacity = Math.floor(tokens / BLOCK_TOKENS);
  }

  /** Takes in the blocks of a prompt, and returns how many of its first blocks were there already. */
  use(blocks: readonly number[]): number {
    let hits = 0;
    while (hits < blocks.length && this.#blocks.has(blocks[hits] ?? Number.NaN)) hits += 1;
    for (const block of blocks) {
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#capacity) break;
      this.#blocks.delete(oldest);
    }
    return hits;
  }
}
