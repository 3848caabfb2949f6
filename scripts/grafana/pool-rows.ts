import { CHOSEN, modelsOf, type Panel, quantiles, type Row, rate, SERVER } from "./panel.ts";

/**
 * The query for ended jobs that reached a worker, filtered by `more`. Jobs that reached none are counted as `other`, and so
 * are all MCP calls. A request for a model that nobody serves is not a failure of the server.
 */
function served(more: string): string {
  const ended = (filter: string): string => `rate(moorage_jobs_total{${CHOSEN},${filter}${more}}[5m])`;
  return `sum(${ended('model!="other"')} or ${ended('plugin="mcp"')})`;
}

export const OVERVIEW: Row = {
  title: "Overview",
  panels: [
    {
      title: "Workers",
      about: "Connected workers of the chosen plugins, in any status.",
      unit: "short",
      isStat: true,
      queries: [["", `sum(moorage_workers{${CHOSEN}})`]],
    },
    {
      title: "Slots in use",
      about: "Busy slots as a share of all slots of the connected workers. At 100 %, new jobs wait.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `sum(moorage_slots_busy{${CHOSEN}}) / sum(moorage_slots{${CHOSEN}})`]],
    },
    {
      title: "Queue",
      about: "Waiting jobs as a share of QUEUE_SIZE. At 100 %, new jobs are refused.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `sum(moorage_queue_length{${CHOSEN}}) / sum(moorage_queue_capacity{${CHOSEN}})`]],
    },
    {
      title: "Failures",
      about: "Failed jobs as a share of the jobs that reached a worker, over 5 minutes. Empty while there are none.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `${served(',outcome="failed"')} / (${served("")} > 0)`]],
    },
    {
      title: "Jobs",
      about: "Jobs ended per second, by outcome. Jobs that reached no worker count as failed.",
      unit: "reqps",
      queries: [["{{outcome}}", `sum by (outcome) (${rate(`moorage_jobs_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Workers by status",
      about: "Workers that are not ready or draining get no jobs; the server's own dashboard says why.",
      unit: "short",
      queries: [["{{plugin}} {{status}}", `sum by (plugin, status) (moorage_workers{${CHOSEN}})`]],
    },
    {
      title: "Slots and queue",
      about: "If jobs wait while slots are free, they wait for a model whose workers are busy.",
      unit: "short",
      queries: [
        ["slots", `sum(moorage_slots{${CHOSEN}})`],
        ["in use", `sum(moorage_slots_busy{${CHOSEN}})`],
        ["waiting", `sum(moorage_queue_length{${CHOSEN}})`],
        ["jobs", `sum(moorage_jobs_in_flight{${CHOSEN}})`],
      ],
    },
    {
      title: "Refused",
      about: "Requests per second that reached no worker, by the code that docs/errors.md explains.",
      unit: "reqps",
      queries: [["{{plugin}} {{reason}}", `sum by (plugin, reason) (${rate(`moorage_rejections_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Retried on another worker",
      about: "Jobs per second whose worker was lost or could not serve them, by reason. Their clients notice nothing.",
      unit: "reqps",
      queries: [["{{plugin}} {{reason}}", `sum by (plugin, reason) (${rate(`moorage_retries_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Bytes",
      about: "Bytes per second of requests (in) and responses (out); those of a job are counted when it ends.",
      unit: "Bps",
      queries: [["{{plugin}} {{direction}}", `sum by (plugin, direction) (${rate(`moorage_bytes_total{${CHOSEN}}`)})`]],
    },
  ],
};

/** The labels of one worker, and how a legend writes them. */
const BY_WORKER = "by (plugin, worker, name)";
const WORKER = "{{name}} ({{worker}})";

export const WORKERS: Row = {
  title: "Workers",
  panels: [
    {
      title: "Jobs by worker",
      about: "Jobs ended per second. The parts of a request for embeddings count one by one.",
      unit: "reqps",
      queries: [[WORKER, `sum ${BY_WORKER} (${rate(`moorage_worker_jobs_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Failures by worker",
      about: "Failed jobs as a share of a worker's jobs, over 5 minutes. Clients' mistakes are not among them.",
      unit: "percentunit",
      queries: [
        [
          WORKER,
          `sum ${BY_WORKER} (rate(moorage_worker_jobs_total{${CHOSEN},outcome="failed"}[5m])) / (sum ${BY_WORKER} (rate(moorage_worker_jobs_total{${CHOSEN},outcome!="canceled"}[5m])) > 0)`,
        ],
      ],
    },
    {
      title: "Busy slots by worker",
      about: "Slots that are held, as a share of a worker's slots. Workers that take no jobs are missing.",
      unit: "percentunit",
      queries: [
        [
          WORKER,
          `sum ${BY_WORKER} (moorage_worker_slots_busy{${CHOSEN}}) / (sum ${BY_WORKER} (moorage_worker_slots{${CHOSEN}}) > 0)`,
        ],
      ],
    },
    {
      title: "Time per job by worker",
      about: "Average time that the ended jobs spent with a worker.",
      unit: "s",
      queries: [
        [
          WORKER,
          `sum ${BY_WORKER} (${rate(`moorage_worker_job_seconds_total{${CHOSEN}}`)}) / (sum ${BY_WORKER} (${rate(`moorage_worker_jobs_total{${CHOSEN}}`)}) > 0)`,
        ],
      ],
    },
    {
      title: "Measured speed by worker",
      about:
        "Tokens per second of one request, over the worker's models: input until the first byte without what came from a cache (in), and output (out).",
      unit: "suffix: tokens/s",
      queries: [
        [`in, ${WORKER}`, `avg ${BY_WORKER} (moorage_worker_prefill_tokens_per_second{${CHOSEN}})`],
        [`out, ${WORKER}`, `avg ${BY_WORKER} (moorage_worker_decode_tokens_per_second{${CHOSEN}})`],
      ],
    },
    {
      title: "Out because of failures, by worker",
      about:
        "1 while a worker gets no jobs because it failed too often, and how often that began in the last 15 minutes.",
      unit: "short",
      queries: [
        [`out: ${WORKER}`, `max ${BY_WORKER} (moorage_worker_out{${CHOSEN}})`],
        [`times: ${WORKER}`, `sum ${BY_WORKER} (increase(moorage_worker_ejections_total{${CHOSEN}}[15m]))`],
      ],
    },
    {
      title: "Output tokens by worker",
      about: "Output tokens per second, as the responses state them or as they are estimated.",
      unit: "suffix: tokens/s",
      queries: [[WORKER, `sum ${BY_WORKER} (${rate(`moorage_worker_output_tokens_total{${CHOSEN}}`)})`]],
    },
  ],
};

/** The panels of a plugin whose workers serve models. */
function ofModels(plugin: string): readonly Panel[] {
  const filter = modelsOf(plugin);
  return [
    {
      title: "Jobs by model",
      about: "Jobs ended per second. Names that no worker serves are `other`.",
      unit: "reqps",
      queries: [["{{model}}", `sum by (model) (${rate(`moorage_jobs_total{${filter}}`)})`]],
    },
    {
      title: "Time to first byte",
      about:
        "From acceptance to the first byte of the response, for jobs that did not fail. Responses that are not streamed begin when they are done.",
      unit: "s",
      queries: quantiles("moorage_first_byte_seconds", filter),
    },
    {
      title: "Time in the queue",
      about:
        "From acceptance to dispatch to a worker. The rest of the time to first byte is spent in the model and its server.",
      unit: "s",
      queries: quantiles("moorage_queue_wait_seconds", filter),
    },
    {
      title: "Duration",
      about: "From acceptance to the end of the job.",
      unit: "s",
      queries: quantiles("moorage_job_duration_seconds", filter),
    },
  ];
}

export const LLM: Row = {
  title: "LLM",
  panels: [
    ...ofModels("llm"),
    {
      title: "Tokens",
      about:
        "Tokens per second, as the responses state them or as they are estimated; those of a job are counted when it ends.",
      unit: "suffix: tokens/s",
      queries: [
        ["{{model}} {{direction}}", `sum by (model, direction) (${rate(`moorage_tokens_total{${modelsOf("llm")}}`)})`],
      ],
    },
    {
      title: "Cached and estimated tokens",
      about: "The part of the input that came from a cache, and the part of all tokens that no response stated.",
      unit: "suffix: tokens/s",
      queries: [
        ["{{model}} cached", `sum by (model) (${rate(`moorage_cached_tokens_total{${modelsOf("llm")}}`)})`],
        [
          "{{model}} {{direction}} estimated",
          `sum by (model, direction) (${rate(`moorage_estimated_tokens_total{${modelsOf("llm")}}`)})`,
        ],
      ],
    },
    {
      title: "Gap between chunks",
      about: "Time between two chunks, over streams of all models. Long gaps are visible as stutter.",
      unit: "s",
      queries: quantiles("moorage_chunk_gap_seconds", `${SERVER},plugin="llm"`),
    },
  ],
};

export const SPEECH: Row = {
  title: "Speech",
  panels: [
    ...ofModels("asr"),
    {
      title: "Audio transcribed",
      about: "Seconds of audio per second, if the responses state them: 10 is ten times as fast as it was spoken.",
      unit: "suffix: × real time",
      queries: [["{{model}}", `sum by (model) (${rate(`moorage_audio_seconds_total{${modelsOf("asr")}}`)})`]],
    },
    {
      title: "Spool",
      about: "Uploads on disk. At the limit, uploads that name their model last are refused.",
      unit: "bytes",
      queries: [
        ["uploads", `sum(moorage_spool_bytes{${SERVER}})`],
        ["limit", `sum(moorage_spool_limit_bytes{${SERVER}})`],
      ],
    },
  ],
};
