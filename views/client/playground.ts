import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";

interface Panel {
  readonly id: string;
  readonly label: string;
}

/** The page with the panels of all plugins, one of which is shown: `x-data="playground"`. */
export function createPlayground(route: () => RouteStore) {
  return () => ({
    panels: [] as readonly Panel[],
    init(): void {
      const root = (this as unknown as { readonly $root: HTMLElement }).$root; // Alpine adds it
      this.panels = [...root.querySelectorAll<HTMLElement>("[data-panel]")].map(({ dataset }) => ({
        id: dataset["panel"] ?? "",
        label: dataset["label"] ?? "",
      }));
    },
    isPanel(id: string): boolean {
      const asked = route().query["panel"];
      const shown = this.panels.find((each) => each.id === asked) ?? this.panels[0];
      return shown?.id === id;
    },
    show(id: string): void {
      route().set({ panel: id, model: "" });
    },
  });
}

/** What the components of panels know of the page. */
export interface PanelTools {
  readonly pool: () => PoolStore;
  readonly route: () => RouteStore;
}

/** Returns the list of a plugin's state: its models, or its relays. */
export function listOf<T>(pool: PoolStore, plugin: string, list: string): readonly T[] {
  return (pool.plugins[plugin]?.[list] ?? []) as readonly T[]; // the server's own; the OpenAPI document describes it
}

/** The model in the address, for the panel that it names. */
export function askedModel(route: RouteStore, panel: string): string | undefined {
  const { panel: asked, model } = route.query;
  return asked === undefined || asked === panel ? model : undefined;
}
