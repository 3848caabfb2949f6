import { CHOSEN, modelsOf, type Panel, quantiles, type Row, rate, SERVER } from "./panel.ts";

/**
 * Jobs that a worker had, by `more`: those that none had are counted as `other`, and so is everything of MCP's. What a
 * client asks for that nobody has is no failure of ours.
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
      about: "Connected, of the chosen plugins, whatever their status.",
      unit: "short",
      isStat: true,
      queries: [["", `sum(moorage_workers{${CHOSEN}})`]],
    },
    {
      title: "Slots in use",
      about: "Share of the jobs that the connected workers take at once. At 100 % new jobs wait.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `sum(moorage_slots_busy{${CHOSEN}}) / sum(moorage_slots{${CHOSEN}})`]],
    },
    {
      title: "Queue",
      about: "Share of the places to wait that are taken. At 100 % new jobs are turned away.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `sum(moorage_queue_length{${CHOSEN}}) / sum(moorage_queue_capacity{${CHOSEN}})`]],
    },
    {
      title: "Failures",
      about: "Share of the jobs that a worker had, over 5 minutes. Empty while there are none.",
      unit: "percentunit",
      isStat: true,
      queries: [["", `${served(',outcome="failed"')} / (${served("")} > 0)`]],
    },
    {
      title: "Jobs",
      about: "Ended a second, by outcome. Those count as failed too that met no worker.",
      unit: "reqps",
      queries: [["{{outcome}}", `sum by (outcome) (${rate(`moorage_jobs_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Workers by status",
      about: "Those that are not ready or draining get no jobs; the server's own dashboard says why.",
      unit: "short",
      queries: [["{{plugin}} {{status}}", `sum by (plugin, status) (moorage_workers{${CHOSEN}})`]],
    },
    {
      title: "Slots and queue",
      about: "Jobs that wait while slots are free want a model whose workers are busy.",
      unit: "short",
      queries: [
        ["slots", `sum(moorage_slots{${CHOSEN}})`],
        ["in use", `sum(moorage_slots_busy{${CHOSEN}})`],
        ["waiting", `sum(moorage_queue_length{${CHOSEN}})`],
        ["jobs", `sum(moorage_jobs_in_flight{${CHOSEN}})`],
      ],
    },
    {
      title: "Turned away",
      about: "Requests a second that no worker had, by the code that docs/errors.md explains.",
      unit: "reqps",
      queries: [["{{plugin}} {{reason}}", `sum by (plugin, reason) (${rate(`moorage_rejections_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Sent to another worker",
      about: "Jobs a second whose worker was lost or could not, by reason. Their clients notice nothing.",
      unit: "reqps",
      queries: [["{{plugin}} {{reason}}", `sum by (plugin, reason) (${rate(`moorage_retries_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Bytes",
      about: "Of requests (in) and answers (out), a second; a job's are counted when it ends.",
      unit: "Bps",
      queries: [["{{plugin}} {{direction}}", `sum by (plugin, direction) (${rate(`moorage_bytes_total{${CHOSEN}}`)})`]],
    },
  ],
};

/** What any plugin has whose workers serve models. */
function ofModels(plugin: string): readonly Panel[] {
  const filter = modelsOf(plugin);
  return [
    {
      title: "Jobs by model",
      about: "Ended a second. Names that no worker has are `other`.",
      unit: "reqps",
      queries: [["{{model}}", `sum by (model) (${rate(`moorage_jobs_total{${filter}}`)})`]],
    },
    {
      title: "Time to the first byte",
      about:
        "Acceptance to the answer's first byte, of jobs that did not fail. Unstreamed answers begin when they are done.",
      unit: "s",
      queries: quantiles("moorage_first_byte_seconds", filter),
    },
    {
      title: "Time in the queue",
      about: "Acceptance to a worker. What the first byte takes beyond it is the model and its server.",
      unit: "s",
      queries: quantiles("moorage_queue_wait_seconds", filter),
    },
    {
      title: "Duration",
      about: "Acceptance to the end.",
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
      about: "As the answers state them, a second; a job's are counted when it ends.",
      unit: "suffix: tokens/s",
      queries: [
        ["{{model}} {{direction}}", `sum by (model, direction) (${rate(`moorage_tokens_total{${modelsOf("llm")}}`)})`],
      ],
    },
    {
      title: "Gap between chunks",
      about: "Of streams of all models. Long ones are seen as stutter.",
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
      title: "Sound heard",
      about: "Seconds of sound a second, where the answers state them: 10 is ten times as fast as it was spoken.",
      unit: "suffix: × real time",
      queries: [["{{model}}", `sum by (model) (${rate(`moorage_audio_seconds_total{${modelsOf("asr")}}`)})`]],
    },
    {
      title: "Spool",
      about: "Uploads on disk. At the limit those that name their model last are refused.",
      unit: "bytes",
      queries: [
        ["uploads", `sum(moorage_spool_bytes{${SERVER}})`],
        ["limit", `sum(moorage_spool_limit_bytes{${SERVER}})`],
      ],
    },
  ],
};
