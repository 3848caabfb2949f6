import type { Config } from "../../config.ts";
import { integer } from "../../settings/kinds.ts";
import { setting, type Values } from "../../settings/setting.ts";

/** The settings that only this plugin has. */
export const llmSettings = {
  llmMaxParallelEmbeddings: setting(integer(1, 1024), {
    variable: "LLM_MAX_PARALLEL_EMBEDDINGS",
    place: { after: "DRAIN_TIMEOUT" },
    default: "8",
    help: "Workers that one embeddings request may use at once.",
  }),
};

export type LlmConfig = Config & Values<typeof llmSettings>;
