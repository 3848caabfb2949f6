import type { Sample } from "../../src/state/history.ts";
import type { Problem } from "../../src/state/problems.ts";
import type { AlpineApi } from "./alpine.js";
import { callersOf } from "./callers.ts";
import { clusterVerdict } from "./cluster.ts";
import { clock, count, percent } from "./format.ts";
import { type History, perSecond } from "./history.ts";
import { type ModelRow, toModelRows } from "./model-rows.ts";
import { mostUsed } from "./most-used.ts";
import { oncePer } from "./once.ts";
import type { PoolStore } from "./pool-store.ts";
import { linkOf } from "./problem-link.ts";
import type { RouteStore } from "./route.ts";
import { failureText, type LabelOf, poolsInUse, toPoolTile, verdictOf } from "./verdict.ts";

/** The models that the overview lists. The page on models has all of them. */
const MAX_MODELS = 10;

/** The problems that are listed at first, so that the models stay in sight. */
const MAX_PROBLEMS = 3;

/** The component of the overview: the state in the words and figures that its markup shows. */
export function createOverview(alpine: AlpineApi, pool: () => PoolStore, history: History, labelOf: LabelOf) {
  const route = (): RouteStore => alpine.store("route");
  // The work of a plugin, such as language models, is no answer to what one of its models is for.
  const models = oncePer((plugins: PoolStore["plugins"]): readonly ModelRow[] => toModelRows(plugins, {}));
  const shownModels = oncePer((rows: readonly ModelRow[]) => mostUsed(rows, MAX_MODELS));
  const callers = oncePer((plugins: PoolStore["plugins"]) => callersOf(plugins, labelOf));
  const here = (): string => pool().server?.id ?? "";
  return () => ({
    verdict: () => {
      const { server, cluster, chosen } = pool();
      if (server === null) {
        const title = chosen === "" ? "Connecting…" : `Waiting for the state of server ${chosen}…`;
        return { tone: "busy", title, detail: "" };
      }
      return cluster !== null && chosen === "" ? clusterVerdict(server, cluster, labelOf) : verdictOf(server, labelOf);
    },
    about: (problem: Problem) => linkOf(problem),
    areAllShown: false,
    problems(): readonly Problem[] {
      return this.areAllShown ? pool().problems() : pool().problems().slice(0, MAX_PROBLEMS);
    },
    moreText: () => `${pool().problems().length - MAX_PROBLEMS} more`,
    hasMore(): boolean {
      return !this.areAllShown && pool().problems().length > MAX_PROBLEMS;
    },
    showAll(): void {
      this.areAllShown = true;
    },
    /** Averages over the last ten seconds. Reading the tick makes Alpine compute it again. */
    perSecond: (field: "requests" | "tokens") => (pool().tick >= 0 ? perSecond(history.samples, field, 10) : 0),
    errorText: () => (pool().tick < 0 ? "–" : failureText(history.samples)),
    /** The part of the prompt tokens of five minutes that came from caches; null where no answer stated it. */
    cachedPercent: () => {
      if (pool().tick < 0) return null;
      const prompts = perSecond(history.samples, "prompt_tokens", 300);
      return prompts === 0 ? null : percent(perSecond(history.samples, "cached_tokens", 300), prompts);
    },
    pools: () => poolsInUse(pool().shown()?.pools ?? []).map((each) => toPoolTile(each, labelOf)),
    sample: (field: keyof Sample) => pool().shown()?.sample[field] ?? null,
    workers: () => {
      const sample = pool().shown()?.sample;
      if (!sample) return 0;
      return sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
    },
    /** Whether the states of the plugins have arrived. */
    isKnown: () => Object.keys(pool().plugins).length > 0,
    models: () => shownModels(models(pool().plugins)),
    modelsText: () => {
      const all = models(pool().plugins).length;
      return all > MAX_MODELS ? `All ${count(all)} models` : "Details";
    },
    callers: () => callers(pool().plugins),
    modelsOfText: () => `Of server ${here()}, which answers this page. Choose another one at the top.`,
    callersText: () => `At server ${here()}, which answers this page.`,
    problemsText: () => `Of server ${here()}, which answers this page, and of the cluster as it sees it.`,
    /** The minutes that the plots show. */
    range: () => (route().query["range"] === "5" ? "5" : "15"),
    showRange: (minutes: string) => route().set({ range: minutes === "15" ? "" : minutes }),
    cursorText: () => {
      const at = pool().pointedAt;
      return at === null ? "now" : clock(at, true);
    },
  });
}
