import type { Config } from "../../config.ts";
import { integer, word } from "../../settings/kinds.ts";
import { setting, type Values } from "../../settings/setting.ts";

/** The settings that only this plugin has. */
export const llmSettings = {
  meterStreams: setting(word(["ask", "estimate", "off"]), {
    variable: "METER_STREAMS",
    place: { after: "EXPLAIN_ROUTING" },
    default: "ask",
    help: "How the tokens of a stream are counted if its client did not ask for usage: ask the backend where this changes nothing else for the client, and estimate elsewhere; estimate everywhere; or count none.",
  }),
  llmMaxParallelEmbeddings: setting(integer(1, 1024), {
    variable: "LLM_MAX_PARALLEL_EMBEDDINGS",
    place: { after: "DRAIN_TIMEOUT" },
    default: "8",
    help: "Workers that one embeddings request may use at once.",
  }),
};

export type LlmConfig = Config & Values<typeof llmSettings>;
