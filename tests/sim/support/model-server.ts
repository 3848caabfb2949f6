import type { CancelTimer, Clock } from "../../../src/system/deps.ts";
import { BLOCK_TOKENS, PrefixCache } from "./prefix-cache.ts";

/** The figures of a model server with continuous batching and chunked prefill. */
export interface Hardware {
  readonly slots: number;
  /** Milliseconds of each step, whatever it computes. */
  readonly stepMs: number;
  /** Milliseconds that each token of a step adds. */
  readonly tokenMs: number;
  /** The most tokens of a step. */
  readonly stepTokens: number;
  /** Tokens of prompts that the prefix cache keeps. */
  readonly cacheTokens: number;
  /** Divides the time of each step; 1 unless given. */
  readonly speed?: number;
}

/** One generation on a model server. */
export interface Generation {
  /** The blocks of the prompt that may be in the cache. */
  readonly blocks: readonly number[];
  /** Tokens of the prompt after the last whole block. */
  readonly restTokens: number;
  readonly outputTokens: number;
  onFirstToken(): void;
  onEnd(): void;
}

/** The cost of a generation, as far as it has got. */
export interface GenerationCost {
  readonly promptTokens: number;
  /** Prompt tokens that were in the cache. */
  readonly cachedTokens: number;
  /** Milliseconds of the server's time: its tokens, and its share of each step. */
  readonly computeMs: number;
}

interface Sequence {
  readonly generation: Generation;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  prefillTokens: number;
  outputTokens: number;
  computeMs: number;
}

interface Part {
  readonly sequence: Sequence;
  readonly tokens: number;
}

/** Steps in progress. More than one only if they are all alike: each running generation puts out one token per step. */
interface Steps {
  readonly parts: readonly Part[];
  readonly startedAt: number;
  readonly stepMs: number;
  count: number;
  cancelTimer: CancelTimer;
}

/**
 * A model server that computes in steps. A step takes one token of each generation that puts out, and fills up with the
 * prompts of those that have not begun to. Steps in which nothing but output happens are run at once.
 */
export class ModelServer {
  readonly #hardware: Hardware;
  readonly #clock: Clock;
  readonly #cache: PrefixCache;
  readonly #running = new Set<Sequence>();
  #steps: Steps | undefined;
  /** Prompt tokens that were computed, and that were in the cache. */
  computedTokens = 0;
  cachedTokens = 0;
  /** Milliseconds in which it computed. */
  busyMs = 0;

  constructor(hardware: Hardware, clock: Clock) {
    this.#hardware = hardware;
    this.#clock = clock;
    this.#cache = new PrefixCache(hardware.cacheTokens);
  }

  /** Starts a generation. Its callbacks run later, on the clock. */
  start(generation: Generation): GenerationCost {
    const { blocks, restTokens, outputTokens } = generation;
    const hits = this.#cache.use(blocks);
    const cachedTokens = hits * BLOCK_TOKENS;
    const promptTokens = blocks.length * BLOCK_TOKENS + restTokens;
    const prefillTokens = Math.max(1, promptTokens - cachedTokens);
    this.computedTokens += prefillTokens;
    this.cachedTokens += cachedTokens;
    const sequence: Sequence = { generation, promptTokens, cachedTokens, prefillTokens, outputTokens, computeMs: 0 };
    this.#running.add(sequence);
    if (this.#steps) this.#cutShort(this.#steps);
    else this.#plan();
    return sequence;
  }

  /** Plans the next steps from now on. */
  #plan(): void {
    this.#steps = undefined;
    if (this.#running.size === 0) return;
    const { stepMs, tokenMs, stepTokens, speed = 1 } = this.#hardware;
    const parts: Part[] = [];
    let [tokens, count] = [0, Number.POSITIVE_INFINITY];
    for (const sequence of this.#running) {
      if (sequence.prefillTokens > 0) continue;
      parts.push({ sequence, tokens: 1 });
      tokens += 1;
      count = Math.min(count, sequence.outputTokens);
    }
    for (const sequence of this.#running) {
      if (sequence.prefillTokens === 0 || tokens >= stepTokens) continue;
      const taken = Math.min(sequence.prefillTokens, stepTokens - tokens);
      parts.push({ sequence, tokens: taken });
      tokens += taken;
      count = 1;
    }
    const ms = (stepMs + tokenMs * tokens) / speed;
    const cancelTimer = this.#clock.after(ms * count, () => this.#finish());
    this.#steps = { parts, startedAt: this.#clock.elapsed(), stepMs: ms, count, cancelTimer };
  }

  /** Ends a run of steps with the one in progress, so that a new generation can take part in the next one. */
  #cutShort(steps: Steps): void {
    const { startedAt, stepMs } = steps;
    const elapsed = this.#clock.elapsed() - startedAt;
    const count = Math.max(1, Math.ceil(elapsed / stepMs));
    if (count >= steps.count) return;
    steps.count = count;
    steps.cancelTimer();
    steps.cancelTimer = this.#clock.after(Math.max(0, stepMs * count - elapsed), () => this.#finish());
  }

  #finish(): void {
    const steps = this.#steps;
    if (!steps) return;
    const { parts, stepMs, count } = steps;
    this.busyMs += stepMs * count;
    const begun: Sequence[] = [];
    const ended: Sequence[] = [];
    for (const { sequence, tokens } of parts) {
      sequence.computeMs += (this.#hardware.tokenMs * tokens + this.#hardware.stepMs / parts.length) * count;
      if (sequence.prefillTokens === 0) sequence.outputTokens -= count;
      else {
        sequence.prefillTokens -= tokens;
        if (sequence.prefillTokens > 0) continue;
        sequence.outputTokens -= 1;
        begun.push(sequence);
      }
      if (sequence.outputTokens > 0) continue;
      this.#running.delete(sequence);
      ended.push(sequence);
    }
    this.#plan();
    for (const { generation } of begun) generation.onFirstToken();
    for (const { generation } of ended) generation.onEnd();
  }
}
