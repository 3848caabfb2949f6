import type { WorkerDetail, WorkerSession } from "../../src/plugin/details.ts";
import type { RestrictionState } from "../../src/plugin/restriction-state.ts";
import type { AlpineApi } from "./alpine.js";
import { createAskedOne } from "./asked-one.ts";
import { copy } from "./copy.ts";
import { ago, duration } from "./format.ts";
import { registerGraphs } from "./graphs.ts";
import { once, oncePer } from "./once.ts";
import type { PluginLists, RelayState, WorkerState } from "./plugin-lists.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import { createRoutedList } from "./routed-list.ts";
import { createRowMenu } from "./row-menu.ts";
import { createListing } from "./tables.ts";
import { freshness, toWorkerRows, type WorkerRow } from "./worker-rows.ts";
import { toWorkerView, type WorkerView } from "./worker-view.ts";

/** Registers the components of the section on workers. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store<RouteStore>("route");
  /** The plugins' words for their workers, which the markup has. */
  let kinds: Readonly<Record<string, string>> = {};
  const rows = once(
    () => pool().plugins,
    (plugins) => Object.freeze(toWorkerRows(plugins, kinds).map((row) => Object.freeze(row))),
  );
  const restrictions = once(
    () => pool().plugins,
    (plugins) =>
      Object.freeze(
        Object.entries(plugins).flatMap(([plugin, state]) => {
          const { restrictions: all = [] } = state as { readonly restrictions?: readonly RestrictionState[] }; // the server's own
          return all.map((each) =>
            Object.freeze({
              ...each,
              key: `${plugin} ${each.id}`,
              name: each.name ?? each.id,
              plugin,
              kind: kinds[plugin] ?? plugin,
            }),
          );
        }),
      ),
  );
  const list = createRoutedList({
    section: "workers",
    address: route,
    all: rows,
    facets: { plugin: "plugin", status: "status", model: "models" },
    sort: "name",
  });
  const errorText = (row: WorkerRow): string => {
    if (row.last_error === null) return "";
    return row.last_error_at === null ? row.last_error : `${ago(row.last_error_at, pool().now)}: ${row.last_error}`;
  };

  registerGraphs(alpine);
  alpine.data("rowMenu", createRowMenu);
  alpine.data("workers", (pairs: readonly (readonly [plugin: string, kind: string])[]) => {
    kinds = Object.fromEntries(pairs);
    return {
      freshness: (row: WorkerRow) => freshness(row, pool().now),
      errorText,
      /** What the row has no room for. */
      titleOf: ({
        name,
        id,
        version,
        host,
      }: WorkerRow & { readonly version?: string; readonly host?: string }): string =>
        [name, `id ${id}`, version ? `version ${version}` : "", host ? `on ${host}` : ""]
          .filter((part) => part !== "")
          .join("\n"),
      copyId: (id: string) => void copy(id),
    };
  });
  alpine.data("workerList", () => list);
  alpine.data("workerRestrictions", () => createListing(restrictions, "name"));
  alpine.data("workerPage", () => createWorkerPage());

  function createWorkerPage() {
    const page = createAskedOne<WorkerDetail>({
      alpine,
      section: "workers",
      route,
      path: (id) => `/api/state/workers/${encodeURIComponent(id)}${pluginQuery(route())}`,
    });
    const graphsOf = oncePer((detail: WorkerDetail) => toWorkerView(detail, "", undefined).graphs);
    const view = once(
      () => [page.found()[0], liveOf(page.found()[0], pool()), kinds] as const,
      ([detail, live]): readonly WorkerView[] =>
        Object.freeze(
          detail === undefined
            ? []
            : [
                Object.freeze({
                  ...toWorkerView(detail, kinds[detail.plugin] ?? detail.plugin, live),
                  graphs: graphsOf(detail),
                }),
              ],
        ),
    );
    return Object.assign(page, {
      views: view,
      backHref: (): string => route().href("workers", "", list.query()),
      isDrained: ({ is_drained: isDrained, restriction }: WorkerView) => isDrained || Boolean(restriction?.drained),
      isBlocked: ({ restriction }: WorkerView) => Boolean(restriction?.blocked),
      restrictionText: ({ restriction }: WorkerView): string => restrictionText(restriction, pool().now),
      sessionLength: ({ connected_at: from, gone_at: to }: WorkerSession): string =>
        duration(Math.max(0, (to === null ? pool().now : Date.parse(to)) - Date.parse(from))),
    });
  }
}

/** Two plugins may know the same id. */
function pluginQuery({ query }: RouteStore): string {
  const { plugin = "" } = query;
  return plugin === "" ? "" : `?plugin=${encodeURIComponent(plugin)}`;
}

/** Finds the newest state of a worker among what the page receives every second. */
function liveOf(detail: WorkerDetail | undefined, { plugins }: PoolStore): WorkerState | RelayState | undefined {
  if (detail === undefined) return undefined;
  const { workers = [], relays = [] } = (plugins[detail.plugin] ?? {}) as PluginLists; // the server's own
  return workers.find(({ id }) => id === detail.id) ?? relays.find(({ id }) => id === detail.id);
}

function restrictionText(restriction: WorkerDetail["restriction"], now: number): string {
  if (restriction === null) return "";
  const { drained, blocked } = restriction;
  return [
    drained ? `Drained by ${drained.by} ${ago(drained.since, now)}: it gets no jobs.` : "",
    blocked ? `Blocked by ${blocked.by} ${ago(blocked.since, now)}: it may not connect.` : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}
