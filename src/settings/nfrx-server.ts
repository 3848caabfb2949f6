import type { FormerNames } from "./former-names.ts";

const NO_JOBS = "there is no jobs API here; remove it";

/** The settings of nfrx's server (v0.9.6) that have another name here, or none. `docs/from-nfrx.md` lists them all. */
export const NFRX_SERVER: FormerNames = {
  program: "nfrx",
  settings: [
    { variable: "METRICS_ADDR", yamlKeys: ["metrics_addr"], instead: "set METRICS_PORT (metrics_port in the file)" },
    {
      variable: "LLM_QUEUE_SIZE",
      yamlKeys: ["llm_queue_size", "plugin_options.llm.queue_size"],
      instead: "set QUEUE_SIZE, which holds for each plugin",
    },
    {
      variable: "LLM_QUEUE_UPDATE_SECONDS",
      yamlKeys: ["llm_queue_update_seconds", "plugin_options.llm.queue_update_seconds"],
      instead: "set KEEPALIVE_INTERVAL; waiting streams get comments, and no event of their own",
    },
    {
      // The variable has the same name here.
      variable: "LLM_MAX_PARALLEL_EMBEDDINGS",
      yamlKeys: ["max_parallel_embeddings", "plugin_options.llm.max_parallel_embeddings"],
      instead: "use llm_max_parallel_embeddings",
    },
    {
      variable: "LLM_MIN_SCORE",
      flags: ["llm-min-score"],
      yamlKeys: ["plugin_options.llm.min_score"],
      instead: "the worker with the lowest load is chosen; remove it",
    },
    {
      variable: "ASR_MIN_SCORE",
      flags: ["asr-min-score"],
      yamlKeys: ["plugin_options.asr.min_score"],
      instead: "the worker with the lowest load is chosen; remove it",
    },
    {
      variable: "BROKER_MAX_REQ_BYTES",
      flags: ["mcp-max-req-bytes"],
      yamlKeys: ["plugin_options.mcp.max_req_bytes"],
      instead: "set MCP_MAX_BODY_BYTES",
    },
    {
      variable: "BROKER_MAX_RESP_BYTES",
      flags: ["mcp-max-resp-bytes"],
      yamlKeys: ["plugin_options.mcp.max_resp_bytes"],
      instead: "set MCP_MAX_ANSWER_BYTES",
    },
    {
      variable: "BROKER_WS_HEARTBEAT_MS",
      flags: ["mcp-ws-heartbeat-ms"],
      yamlKeys: ["plugin_options.mcp.ws_heartbeat_ms"],
      instead: "set PING_INTERVAL",
    },
    {
      variable: "BROKER_WS_DEAD_AFTER_MS",
      flags: ["mcp-ws-dead-after-ms"],
      yamlKeys: ["plugin_options.mcp.ws_dead_after_ms"],
      instead: "set PING_INTERVAL to a third of it",
    },
    {
      variable: "BROKER_MAX_CONCURRENCY_PER_CLIENT",
      flags: ["mcp-max-concurrency-per-client"],
      yamlKeys: ["plugin_options.mcp.max_concurrency_per_client"],
      instead: "set MCP_MAX_CALLS",
    },
    { variable: "REDIS_ADDR", instead: "the state of a server is not kept in Redis; remove it" },
    { variable: "JOBS_SSE_CLOSE_DELAY", instead: NO_JOBS },
    { variable: "JOBS_CLIENT_TTL", instead: NO_JOBS },
  ],
};

/** Plugins of nfrx that `PLUGINS` may name although they do not exist here. */
export const NFRX_PLUGINS: readonly string[] = ["docling", "jobs"];
