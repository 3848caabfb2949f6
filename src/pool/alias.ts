/** Quantization marks as Ollama, llama.cpp, vLLM and LM Studio write them at the end of a tag. */
const QUANTIZATION = /-(?:i?q\d[a-z0-9_]*|[bf]?f?p?(?:8|16|32)|int[48]|nf4|mxfp4|awq|gptq)$/i;

/**
 * Returns what two ids must have in common for one to stand in for the other: the same `name:size`, whatever the quantization.
 * `llama3:8b-q4_K_M` and `llama3:8b` both give `llama3:8b`. Undefined for an id without a tag: nothing stands in for it.
 */
export function aliasKey(model: string): string | undefined {
  const colon = model.lastIndexOf(":");
  if (colon <= 0 || colon === model.length - 1) return undefined;
  return model.replace(QUANTIZATION, "");
}
