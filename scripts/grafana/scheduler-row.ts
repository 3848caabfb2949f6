import { CHOSEN, modelsOf, type Row, rate } from "./panel.ts";

export const SCHEDULER: Row = {
  title: "Scheduler",
  panels: [
    {
      title: "Waiting by class",
      about:
        "Jobs waiting for a slot. Interactive jobs go first, background jobs last; waiting long raises a job's class.",
      unit: "short",
      queries: [["{{plugin}} {{class}}", `sum by (plugin, class) (moorage_queue_waiting{${CHOSEN}})`]],
    },
    {
      title: "Time in the queue by class, p95",
      about: "From acceptance to dispatch: one job in twenty waits longer.",
      unit: "s",
      queries: [
        [
          "{{plugin}} {{class}}",
          `histogram_quantile(0.95, sum by (plugin, class, le) (${rate(`moorage_class_wait_seconds_bucket{${CHOSEN}}`)}))`,
        ],
      ],
    },
    {
      title: "Pushed out of the queue",
      about:
        "Waiting jobs per second that were refused to make room for other callers, by the class of the refused. They are jobs of the caller with the most waiting.",
      unit: "reqps",
      queries: [
        ["{{plugin}} {{class}}", `sum by (plugin, class) (${rate(`moorage_queue_pushouts_total{${CHOSEN}}`)})`],
      ],
    },
    {
      title: "Callers",
      about: "Callers with their classes and end users that have jobs or had some in the last minute.",
      unit: "short",
      queries: [["{{plugin}}", `sum by (plugin) (moorage_queue_flows{${CHOSEN}})`]],
    },
    {
      title: "Reasons for workers",
      about: "Jobs per second by the reason for their worker, which docs/scheduling.md explains.",
      unit: "reqps",
      queries: [["{{plugin}} {{reason}}", `sum by (plugin, reason) (${rate(`moorage_routes_total{${CHOSEN}}`)})`]],
    },
    {
      title: "Cold dispatches",
      about:
        "The part of the jobs whose worker had to load the model first, as far as workers tell. Many mean that too many models share too little memory.",
      unit: "percentunit",
      queries: [
        [
          "{{plugin}}",
          `sum by (plugin) (${rate(`moorage_dispatches_total{${CHOSEN},memory="cold"}`)}) / (sum by (plugin) (${rate(`moorage_dispatches_total{${CHOSEN}}`)}) > 0)`,
        ],
      ],
    },
    {
      title: "Workers out",
      about: "Workers that get no jobs because they failed too often, and how many go out per minute.",
      unit: "short",
      queries: [
        ["{{plugin}} out", `sum by (plugin) (moorage_workers_out{${CHOSEN}})`],
        ["{{plugin}} per minute", `sum by (plugin) (${rate(`moorage_ejections_total{${CHOSEN}}`)}) * 60`],
      ],
    },
    {
      title: "Input from caches",
      about:
        "The part of the input tokens that came from caches of the model servers. It falls when related requests go to different workers.",
      unit: "percentunit",
      queries: [
        [
          "{{model}}",
          `sum by (model) (${rate(`moorage_cached_tokens_total{${modelsOf("llm")}}`)}) / (sum by (model) (${rate(`moorage_tokens_total{${modelsOf("llm")},direction="input"}`)}) > 0)`,
        ],
      ],
    },
    {
      title: "Expected and found in caches",
      about:
        "Prompt tokens per second that were expected in the worker's cache and that came from it, for jobs sent there for their sake.",
      unit: "suffix: tokens/s",
      queries: [
        ["{{model}} expected", `sum by (model) (${rate(`moorage_prefix_predicted_tokens_total{${modelsOf("llm")}}`)})`],
        ["{{model}} found", `sum by (model) (${rate(`moorage_prefix_cached_tokens_total{${modelsOf("llm")}}`)})`],
      ],
    },
    {
      title: "Memory of prompts",
      about:
        "Beginnings of prompts whose workers are remembered, at most 50,000; and models of workers that get no request for the sake of their cache.",
      unit: "short",
      queries: [
        ["remembered", `sum(moorage_prefix_table_entries{${CHOSEN}})`],
        ["affinity off", `sum(moorage_affinity_off{${CHOSEN}})`],
      ],
    },
    {
      title: "Estimated tokens",
      about: "The part of all tokens that no response stated. METER_STREAMS says how streams are counted.",
      unit: "percentunit",
      queries: [
        [
          "{{model}}",
          `sum by (model) (${rate(`moorage_estimated_tokens_total{${modelsOf("llm")}}`)}) / (sum by (model) (${rate(`moorage_tokens_total{${modelsOf("llm")}}`)}) > 0)`,
        ],
      ],
    },
  ],
};
