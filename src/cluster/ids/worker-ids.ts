import { IdFacts } from "./id-facts.ts";

/** The facts about worker ids of all plugins. Each plugin has ids of its own. */
export class WorkerIds {
  readonly #byPlugin = new Map<string, IdFacts>();

  of(pluginId: string): IdFacts {
    const known = this.#byPlugin.get(pluginId);
    if (known) return known;
    const facts = new IdFacts();
    this.#byPlugin.set(pluginId, facts);
    return facts;
  }
}
