import type { AlpineApi } from "./alpine.js";
import { createAskedList } from "./asked-list.ts";
import { toPastJobRow } from "./asked-rows.ts";

/** The most requests to ask for. The server remembers 500 of all plugins together. */
const MAX_JOBS = 300;

/** The requests of a plugin that have ended: `x-data="pastJobs('llm')"`. */
export function createPastJobs(alpine: AlpineApi) {
  return (plugin: string) =>
    createAskedList(alpine, {
      path: (outcome) => `/api/state/jobs?limit=${MAX_JOBS}${outcome === "" ? "" : `&outcome=${outcome}`}`,
      toRow: (entry) => (entry["plugin"] === plugin ? toPastJobRow(entry) : undefined),
    });
}
