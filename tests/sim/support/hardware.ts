import type { Hardware } from "./model-server.ts";

/** A server with a large GPU, such as vLLM: 1,600 output tokens per second with 32 jobs, or 14,000 prompt tokens. */
export function gpu(cacheTokens: number, changes: Partial<Hardware> = {}): Hardware {
  return { slots: 32, stepMs: 18, tokenMs: 0.06, stepTokens: 2048, cacheTokens, ...changes };
}

/** A server on a machine at home, such as llama.cpp: 85 output tokens per second with two jobs, or 1,200 prompt tokens. */
export function home(cacheTokens: number, changes: Partial<Hardware> = {}): Hardware {
  return { slots: 2, stepMs: 22, tokenMs: 0.8, stepTokens: 512, cacheTokens, ...changes };
}
