import { CLUSTER } from "./cluster-row.ts";
import { MCP, PROCESS, TRANSFERS } from "./other-rows.ts";
import type { Panel, Row } from "./panel.ts";
import { LLM, OVERVIEW, SPEECH, WORKERS } from "./pool-rows.ts";
import { SCHEDULER } from "./scheduler-row.ts";

const ROWS: readonly Row[] = [OVERVIEW, SCHEDULER, WORKERS, LLM, SPEECH, MCP, TRANSFERS, CLUSTER, PROCESS];

interface Variable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
  /** The pattern that All stands for. Without it, All stands for each of the values. */
  readonly allValue?: string;
}

/** The choices at the top of the dashboard. */
export const VARIABLES: readonly Variable[] = [
  // All must mean Moorage's instances only, because other programs have process_… and nodejs_… as well.
  { name: "instance", label: "Server", query: "label_values(moorage_build_info, instance)" },
  {
    name: "plugin",
    label: "Plugin",
    // moorage_workers exists from the start; moorage_jobs_total adds plugins without a pool.
    query: 'label_values({__name__=~"moorage_workers|moorage_jobs_total",instance=~"$instance"}, plugin)',
    allValue: ".*",
  },
  {
    name: "model",
    label: "Model",
    query: 'label_values(moorage_jobs_total{instance=~"$instance",plugin=~"$plugin"}, model)',
    allValue: ".*",
  },
];

const WIDTH = 24;
const SIZE = { stat: { w: 6, h: 4 }, graph: { w: 12, h: 8 } } as const;
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder
const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** The dashboard in the form that Grafana 10 and newer import. */
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
    // The version of Grafana 10.0; newer ones migrate it.
    schemaVersion: 38,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" },
        ...VARIABLES.map(toVariable),
      ],
    },
    panels,
  };
}

/** Every query of the dashboard, with its legend. */
export function grafanaQueries(): Row["panels"][number]["queries"] {
  return ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries));
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

function toVariable({ name, label, query, allValue }: Variable): object {
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
    ...(allValue === undefined ? {} : { allValue }),
    current: { text: ["All"], value: ["$__all"] },
  };
}
