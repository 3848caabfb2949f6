import type { PromptAffinity } from "../../affinity/prompt-affinity.ts";
import type { Metrics } from "../../figures/metrics.ts";

const PLUGIN = "llm";

/** Registers what is known of prompts in caches. */
export function registerAffinity(metrics: Metrics, prompts: PromptAffinity): void {
  const labels = { plugin: PLUGIN };
  const models = (amount: "predictedTokens" | "cachedTokens") => () =>
    Array.from(prompts.facts().models, ([model, sums]) => ({ labels: { ...labels, model }, value: sums[amount] }));
  metrics.total(
    "moorage_prefix_predicted_tokens_total",
    "Prompt tokens that were expected in the worker's cache, for jobs whose answers state cached tokens.",
    ["plugin", "model"],
    models("predictedTokens"),
  );
  metrics.total(
    "moorage_prefix_cached_tokens_total",
    "Prompt tokens that came from the worker's cache, for the jobs of moorage_prefix_predicted_tokens_total.",
    ["plugin", "model"],
    models("cachedTokens"),
  );
  metrics.gauge(
    "moorage_prefix_table_entries",
    "Beginnings of prompts whose workers are remembered; at most 50,000.",
    ["plugin"],
    () => [{ labels, value: prompts.facts().hashes }],
  );
}
