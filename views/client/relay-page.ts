import { messageOf } from "./answers.ts";
import { type CatalogRelay, type CatalogTools, createCatalog, read } from "./catalog.ts";
import type { RouteStore } from "./route.ts";

/** The page of the relay in the address: `#mcp/tools`. It has the members that the catalogue's markup uses. */
export function createRelayPage(route: () => RouteStore, tools: CatalogTools) {
  return (url: string) => ({
    ...createCatalog(url, tools),
    shownId: "",
    /** Loads the relay when the address names another one. */
    follow(): void {
      const { section, id } = route();
      if (section !== "mcp" || id === this.shownId) return;
      this.shownId = id;
      if (id !== "") void this.openOne(id);
    },
    async openOne(id: string): Promise<void> {
      Object.assign(this, { relays: [], problem: "", filter: "", isLoading: true });
      try {
        const relay = await read<CatalogRelay>(`${url}/${encodeURIComponent(id)}`);
        if (id === this.shownId) this.relays = Object.freeze([relay]);
      } catch (error) {
        if (id === this.shownId) this.problem = messageOf(error);
      } finally {
        if (id === this.shownId) this.isLoading = false;
      }
    },
  });
}
