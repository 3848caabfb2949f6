/** What a panel of the dashboard is made of. */
interface Panel {
  readonly title: string;
  readonly about: string;
  /** Of Grafana's: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
  readonly unit: string;
  readonly queries: readonly (readonly [legend: string, expr: string])[];
  readonly isStat?: boolean;
}

/** The filter that every query of a plugin has: what is chosen at the dashboard's top. */
const OF = 'instance=~"$instance",plugin=~"$plugin"';
const ON = 'instance=~"$instance"';

const quantiles = (metric: string): readonly (readonly [string, string])[] =>
  [0.5, 0.95, 0.99].map((at) => [
    `p${at * 100}`,
    `histogram_quantile(${at}, sum by (le) (rate(${metric}_bucket{${OF}}[$__rate_interval])))`,
  ]);

const ROWS: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: "At a glance",
    panels: [
      {
        title: "Workers",
        about: "Connected, of the chosen plugins.",
        unit: "short",
        isStat: true,
        queries: [["", `sum(moorage_workers{${OF}})`]],
      },
      {
        title: "Slots in use",
        about: "Share of the slots that workers offer.",
        unit: "percentunit",
        isStat: true,
        queries: [["", `sum(moorage_slots_busy{${OF}}) / sum(moorage_slots{${OF}})`]],
      },
      {
        title: "Waiting",
        about: "Jobs in the queue.",
        unit: "short",
        isStat: true,
        queries: [["", `sum(moorage_queue_length{${OF}})`]],
      },
      {
        title: "Failures",
        about: "Share of the jobs that ended.",
        unit: "percentunit",
        isStat: true,
        queries: [
          ["", `sum(rate(moorage_jobs_total{${OF},outcome="failed"}[5m])) / sum(rate(moorage_jobs_total{${OF}}[5m]))`],
        ],
      },
      {
        title: "Jobs",
        about: "Ended a second, by outcome.",
        unit: "reqps",
        queries: [["{{outcome}}", `sum by (outcome) (rate(moorage_jobs_total{${OF}}[$__rate_interval]))`]],
      },
      {
        title: "Time to the first byte",
        about: "From acceptance to the answer's first byte, of jobs that did not fail.",
        unit: "s",
        queries: quantiles("moorage_first_byte_seconds"),
      },
    ],
  },
  {
    title: "Pool",
    panels: [
      {
        title: "Workers by status",
        about: "Those that are not ready or draining get no jobs.",
        unit: "short",
        queries: [["{{plugin}} {{status}}", `sum by (plugin, status) (moorage_workers{${OF}})`]],
      },
      {
        title: "Slots and queue",
        about: "When the queue grows while all slots are used, the workers are the bottleneck.",
        unit: "short",
        queries: [
          ["slots", `sum(moorage_slots{${OF}})`],
          ["in use", `sum(moorage_slots_busy{${OF}})`],
          ["waiting", `sum(moorage_queue_length{${OF}})`],
          ["jobs", `sum(moorage_jobs_in_flight{${OF}})`],
        ],
      },
      {
        title: "Time in the queue",
        about: "From acceptance to a worker.",
        unit: "s",
        queries: quantiles("moorage_queue_wait_seconds"),
      },
      {
        title: "Duration",
        about: "From acceptance to the end.",
        unit: "s",
        queries: quantiles("moorage_job_duration_seconds"),
      },
      {
        title: "Turned away",
        about: "Before a worker had them, by reason.",
        unit: "reqps",
        queries: [
          [
            "{{plugin}} {{reason}}",
            `sum by (plugin, reason) (rate(moorage_rejections_total{${OF}}[$__rate_interval]))`,
          ],
        ],
      },
      {
        title: "Sent elsewhere",
        about: "Jobs whose worker was lost or could not, by reason.",
        unit: "reqps",
        queries: [
          ["{{plugin}} {{reason}}", `sum by (plugin, reason) (rate(moorage_retries_total{${OF}}[$__rate_interval]))`],
        ],
      },
    ],
  },
  {
    title: "Models",
    panels: [
      {
        title: "Requests by model",
        about: "Ended a second.",
        unit: "reqps",
        queries: [["{{model}}", `sum by (model) (rate(moorage_jobs_total{${OF},model=~"$model"}[$__rate_interval]))`]],
      },
      {
        title: "Tokens by model",
        about: "As the answers stated them, a second; a job counts when it ends.",
        unit: "short",
        queries: [
          [
            "{{model}} {{direction}}",
            `sum by (model, direction) (rate(moorage_tokens_total{${OF},model=~"$model"}[$__rate_interval]))`,
          ],
        ],
      },
      {
        title: "Gap between chunks",
        about: "Of streams, as their client sees them.",
        unit: "s",
        queries: quantiles("moorage_chunk_gap_seconds"),
      },
      {
        title: "Audio",
        about: "Seconds of sound transcribed a second.",
        unit: "short",
        queries: [
          ["{{model}}", `sum by (model) (rate(moorage_audio_seconds_total{${OF},model=~"$model"}[$__rate_interval]))`],
        ],
      },
    ],
  },
  {
    title: "MCP and transfers",
    panels: [
      {
        title: "MCP calls",
        about: "Ended a second, by method and outcome.",
        unit: "reqps",
        queries: [
          [
            "{{method}} {{outcome}}",
            `sum by (method, outcome) (rate(moorage_mcp_calls_total{${ON}}[$__rate_interval]))`,
          ],
        ],
      },
      {
        title: "Relays, sessions, calls",
        about: "Now.",
        unit: "short",
        queries: [
          ["relays", `sum(moorage_mcp_relays{${ON}})`],
          ["sessions", `sum(moorage_mcp_sessions{${ON}})`],
          ["{{kind}}", `sum by (kind) (moorage_mcp_in_flight{${ON}})`],
        ],
      },
      {
        title: "Transfers",
        about: "Channels that ended a second, by outcome.",
        unit: "reqps",
        queries: [["{{outcome}}", `sum by (outcome) (rate(moorage_transfers_total{${ON}}[$__rate_interval]))`]],
      },
      {
        title: "Bytes of transfers",
        about: "A second, and channels that are open.",
        unit: "Bps",
        queries: [["bytes", `sum(rate(moorage_transfer_bytes_total{${ON}}[$__rate_interval]))`]],
      },
      {
        title: "Open channels",
        about: "Waiting for a side, or joined.",
        unit: "short",
        queries: [["{{state}}", `sum by (state) (moorage_transfer_channels{${ON}})`]],
      },
      {
        title: "MCP sessions opened",
        about: "A second.",
        unit: "reqps",
        queries: [["", `sum(rate(moorage_mcp_sessions_opened_total{${ON}}[$__rate_interval]))`]],
      },
    ],
  },
  {
    title: "The server",
    panels: [
      {
        title: "Bytes",
        about: "Of requests (in) and answers (out).",
        unit: "Bps",
        queries: [
          [
            "{{plugin}} {{direction}}",
            `sum by (plugin, direction) (rate(moorage_bytes_total{${OF}}[$__rate_interval]))`,
          ],
        ],
      },
      {
        title: "CPU",
        about: "Cores; the server has one thread for all of its events.",
        unit: "short",
        queries: [["{{instance}}", `rate(process_cpu_seconds_total{${ON}}[$__rate_interval])`]],
      },
      {
        title: "Memory",
        about: "Resident.",
        unit: "bytes",
        queries: [
          ["{{instance}}", `process_resident_memory_bytes{${ON}}`],
          ["spooled uploads", `moorage_spool_bytes{${ON}}`],
        ],
      },
      {
        title: "Event loop lag",
        about: "How late the server is for its events.",
        unit: "s",
        queries: [
          ["p50", `nodejs_eventloop_lag_p50_seconds{${ON}}`],
          ["p99", `nodejs_eventloop_lag_p99_seconds{${ON}}`],
        ],
      },
      {
        title: "Open files",
        about: "A worker, a client and a spooled upload are one each.",
        unit: "short",
        queries: [
          ["open", `process_open_fds{${ON}}`],
          ["limit", `process_max_fds{${ON}}`],
        ],
      },
      {
        title: "Wrong keys",
        about: "Requests turned away a second, by where they knocked.",
        unit: "reqps",
        queries: [["{{surface}}", `sum by (surface) (rate(moorage_auth_failures_total{${ON}}[$__rate_interval]))`]],
      },
      {
        title: "Version",
        about: "What runs.",
        unit: "short",
        queries: [["{{version}} on Bun {{bun}}", `moorage_build_info{${ON}}`]],
      },
    ],
  },
];

const WIDTH = 24;
const SIZE = { stat: { w: 6, h: 4 }, graph: { w: 12, h: 8 } } as const;
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder
const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** The dashboard as Grafana 10 and newer import it. */
export function grafanaDashboard(): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({
      type: "row",
      id: panels.length + 1,
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    });
    y += 1;
    let x = 0;
    let rowHeight = 0;
    for (const panel of row.panels) {
      const { w, h } = panel.isStat ? SIZE.stat : SIZE.graph;
      if (x + w > WIDTH) {
        x = 0;
        y += rowHeight;
        rowHeight = 0;
      }
      panels.push(toPanel(panel, panels.length + 1, { x, y, w, h }));
      x += w;
      rowHeight = Math.max(rowHeight, h);
    }
    y += rowHeight;
  }
  return {
    title: "Moorage",
    uid: "moorage",
    tags: ["moorage"],
    editable: true,
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
        variable("instance", "Server", "label_values(moorage_build_info, instance)"),
        variable("plugin", "Plugin", 'label_values(moorage_workers{instance=~"$instance"}, plugin)'),
        variable("model", "Model", 'label_values(moorage_jobs_total{instance=~"$instance",plugin=~"$plugin"}, model)'),
      ],
    },
    panels,
  };
}

/** Every expression that the dashboard asks. */
export function grafanaQueries(): readonly string[] {
  return ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(([, expr]) => expr)));
}

function toPanel({ title, about, unit, queries, isStat = false }: Panel, id: number, gridPos: object): object {
  return {
    id,
    type: isStat ? "stat" : "timeseries",
    title,
    description: about,
    datasource: SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: queries.map(([legendFormat, expr], at) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + at),
      datasource: SOURCE,
      expr,
      legendFormat: legendFormat || "__auto",
      ...(isStat ? { instant: true } : {}),
    })),
  };
}

function variable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: "query",
    datasource: SOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: ["All"], value: ["$__all"] },
  };
}
