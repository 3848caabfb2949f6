import { isRecord } from "../json/parse.ts";

/** The slots of a model server that batches requests, and where the number is from. */
export interface StatedSlots {
  readonly slots: number;
  readonly slotsFrom: string;
}

/** The tokens that a request of usual length takes in the cache. */
const TOKENS_PER_REQUEST = 4096;

/** More would help no graphics card, and Bun runs 256 requests at once unless it is told otherwise. */
const MOST = 200;

/**
 * Reads from vLLM's metrics how many requests of usual length its KV cache holds at once; undefined if they do not say. vLLM
 * tells nobody its `max_num_seqs`. `context` is the longest request that it takes, in tokens.
 */
export function vllmSlots(metrics: string, context: number | undefined): StatedSlots | undefined {
  const line = /^vllm:cache_config_info\{([^\n]*)\}/m.exec(metrics)?.[1] ?? "";
  const label = (name: string): number => Number(new RegExp(`(?:^|,)${name}="(\\d{1,12})"`).exec(line)?.[1]);
  const tokens = label("block_size") * label("num_gpu_blocks");
  const each = Math.min(TOKENS_PER_REQUEST, context ?? TOKENS_PER_REQUEST);
  if (!(tokens > 0)) return undefined;
  const slots = Math.min(MOST, Math.max(1, Math.floor(tokens / each)));
  return { slots, slotsFrom: `vLLM's cache holds ${tokens} tokens, and a request is counted as ${each}` };
}

/** Reads from what SGLang says of itself how many requests it runs at once; undefined if it does not say. */
export function sglangSlots(info: unknown): StatedSlots | undefined {
  const slots = isRecord(info) ? info["max_running_requests"] : undefined;
  if (typeof slots !== "number" || !Number.isInteger(slots) || slots < 1) return undefined;
  return { slots: Math.min(slots, MOST), slotsFrom: "SGLang says so (max_running_requests)" };
}
