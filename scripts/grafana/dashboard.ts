import { MCP, PROCESS, TRANSFERS } from "./other-rows.ts";
import type { Panel, Row } from "./panel.ts";
import { LLM, OVERVIEW, SPEECH } from "./pool-rows.ts";

const ROWS: readonly Row[] = [OVERVIEW, LLM, SPEECH, MCP, TRANSFERS, PROCESS];

interface Variable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
  /** What All stands for; without it, for each of the values. */
  readonly allValue?: string;
}

/** What is chosen at the dashboard's top. */
export const VARIABLES: readonly Variable[] = [
  // All is only those that are Moorage's: process_… and nodejs_… are other programs' as well.
  { name: "instance", label: "Server", query: "label_values(moorage_build_info, instance)" },
  {
    name: "plugin",
    label: "Plugin",
    // The former from the start on, the latter of plugins without a pool.
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
    // Grafana 10.0's; newer ones bring it up to theirs.
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

/** Every query that the dashboard asks, with its legend. */
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
