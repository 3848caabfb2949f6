import type { ModelCard, ModelCatalog, Plugin } from "./contract.ts";

/** Returns the models of all plugins as one catalog. */
export function joinCatalogs(plugins: readonly Pick<Plugin, "catalog">[]): ModelCatalog {
  const models = (tenant?: string): readonly ModelCard[] => allModels(plugins, tenant);
  return { models, find: (name, tenant) => findModel(plugins, models(tenant), name, tenant) };
}

/** Lists each id once: workers of several plugins may serve one model. */
function allModels(plugins: readonly Pick<Plugin, "catalog">[], tenant: string | undefined): readonly ModelCard[] {
  const cards = new Map<string, ModelCard>();
  for (const plugin of plugins) {
    for (const card of plugin.catalog?.models(tenant) ?? []) {
      const earlier = cards.get(card.id);
      // The earliest time at which any plugin saw the model, so that `created` does not depend on which plugins are enabled.
      cards.set(card.id, earlier ? { ...earlier, created: Math.min(card.created, earlier.created) } : card);
    }
  }
  return [...cards.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Finds the model that a request with this name would get: the one of exactly this name, else the first plugin's. */
function findModel(
  plugins: readonly Pick<Plugin, "catalog">[],
  all: readonly ModelCard[],
  name: string,
  tenant: string | undefined,
): ModelCard | undefined {
  const exact = all.find(({ id }) => id === name);
  if (exact) return exact;
  for (const { catalog } of plugins) {
    const card = catalog?.find(name, tenant);
    if (card) return card;
  }
  return undefined;
}
