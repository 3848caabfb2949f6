import type { ModelDetail } from "../../src/plugin/details.ts";
import type { AlpineApi } from "./alpine.js";
import { createAskedOne } from "./asked-one.ts";
import { plural } from "./format.ts";
import { registerGraphs } from "./graphs.ts";
import { type ModelRow, toModelRows } from "./model-rows.ts";
import { toModelView } from "./model-view.ts";
import { once } from "./once.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import { createRoutedList } from "./routed-list.ts";

/** Registers the components of the section on models. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store<RouteStore>("route");
  /** The plugins' words for their workers, which the markup has. */
  let kinds: Readonly<Record<string, string>> = {};
  const rows = once(
    () => pool().plugins,
    (plugins) => Object.freeze(toModelRows(plugins, kinds)),
  );
  const list = createRoutedList({
    section: "models",
    address: route,
    all: rows,
    facets: { type: "type", state: "state" },
    sort: "name",
  });

  registerGraphs(alpine);
  alpine.data("models", (pairs: readonly (readonly [plugin: string, kind: string])[]) => {
    kinds = Object.fromEntries(pairs);
    return {
      /** Who waits, and how many workers have it in memory. */
      stateNote: ({ waiting_by: waiting, loaded, workers, out }: ModelRow): string =>
        [
          ...waiting.map((each) => `${each.waiting} of ${each.caller} waiting`),
          loaded === null ? "" : `in the memory of ${loaded} of ${plural(workers, "worker")}`,
          out > 0 ? `${plural(out, "worker")} out because of failures` : "",
        ]
          .filter((part) => part !== "")
          .join("\n"),
    };
  });
  alpine.data("modelList", () => list);
  alpine.data("modelPage", () => {
    const page = createAskedOne<ModelDetail>({
      alpine,
      section: "models",
      route,
      path: (id) => `/api/state/models/${encodeURIComponent(id)}`,
    });
    const views = once(page.found, (found) => Object.freeze(found.map((each) => Object.freeze(toModelView(each)))));
    return Object.assign(page, { views, backHref: () => route().href("models", "", list.query()) });
  });
}
