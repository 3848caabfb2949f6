import type { GrantView } from "../../src/oauth/grant-view.ts";
import type { AlpineApi } from "./alpine.js";
import { createAskedList } from "./asked-list.ts";
import { toGrantRow } from "./grant-row.ts";
import type { Row } from "./listing.ts";

/** The largest pages that the server returns. */
const LIST = "/api/mcp/grants?limit=1000";

/** The programs that people let in: `x-data="grants"`. */
export function createGrants(alpine: AlpineApi) {
  return () => ({
    ...createAskedList(alpine, {
      path: () => LIST,
      pathAfter: ({ id }) => `${LIST}&after=${encodeURIComponent(String(id))}`,
      toRow: (entry: Row): Row => toGrantRow(entry as unknown as GrantView), // the server's own
    }),
    init(): void {
      document.addEventListener("grantschange", () => void this.load());
    },
  });
}
