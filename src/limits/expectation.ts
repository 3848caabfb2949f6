import type { Amounts } from "./limit-state.ts";

/** The output that a request is expected to have before the key has had any: a short chat. */
const FIRST_OUTPUT = 256;
/** The weight of the latest request in what is typical of a key. */
const LEARNED = 0.2;

/** What the requests of a key are expected to use, learned from those that have ended. */
export class Expectation {
  #typicalOutput = FIRST_OUTPUT;
  #typicalSeconds = 0;

  /** Returns what a request is expected to use: its input, and as much output and audio as others of the key have had. */
  of({ inputTokens, maxOutput }: { readonly inputTokens: number; readonly maxOutput: number | undefined }): Amounts {
    const output = Math.min(maxOutput ?? Number.POSITIVE_INFINITY, this.#typicalOutput);
    return { tokens: inputTokens + Math.round(output), audioSeconds: this.#typicalSeconds };
  }

  /** Learns from what a request has used what to expect of others. */
  learn(inputTokens: number, { tokens, audioSeconds }: Amounts): void {
    if (tokens > 0) this.#typicalOutput += LEARNED * (Math.max(0, tokens - inputTokens) - this.#typicalOutput);
    if (audioSeconds > 0) this.#typicalSeconds += LEARNED * (audioSeconds - this.#typicalSeconds);
  }
}
