import type { ClusterState, ServerRow } from "../../src/state/cluster-state.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { Alpine } from "./alpine.js";
import { badgeOf, detailOf, heardText, linkText, nowText, problemText, summaryOf } from "./cluster.ts";
import * as format from "./format.ts";
import { History } from "./history.ts";
import { registerLater } from "./later.ts";
import { createOperator } from "./operator.ts";
import { createOverview } from "./overview.ts";
import { registerPlots } from "./plots.ts";
import { chosenInAddress, createPoolStore, follow, type PoolStore } from "./pool-store.ts";
import { type RouteStore, registerRoute } from "./route.ts";
import { ServerRates } from "./server-rates.ts";
import { registerSparks } from "./sparks.ts";
import { createThemeSwitch } from "./theme-switch.ts";
import type { LabelOf } from "./verdict.ts";

// The entry point of the dashboard: connects the data to the server's markup.

const history = new History();
const rates = new ServerRates();
const boot = readBoot<ServerState>("boot");
const bootCluster = readBoot<ClusterState>("boot-cluster");
const labelOf = labels();
/** The minutes that the plots of the overview show. */
const minutesShown = (): number => (Alpine.store<RouteStore>("route").query["range"] === "5" ? 5 : 15);
const pool = (): PoolStore => Alpine.store<PoolStore>("pool");

Alpine.store("pool", createPoolStore(boot, bootCluster, bootCluster === null ? "" : chosenInAddress()));
Alpine.store("operator", createOperator());
Alpine.magic("format", () => format);
registerRoute(Alpine);
Alpine.data("shell", createShell);
Alpine.data("theme", createThemeSwitch);
Alpine.data("overview", createOverview(Alpine, pool, history, labelOf));
Alpine.data("servers", () => ({
  rows: () => pool().servers(),
  summary: () => {
    const { cluster } = pool();
    return cluster === null ? "" : summaryOf(cluster);
  },
  detail: (row: ServerRow) => {
    const { cluster } = pool();
    return cluster === null ? "" : detailOf(row, cluster);
  },
  badge: badgeOf,
  link: linkText,
  heard: heardText,
  problems: problemText,
  now: nowText,
  /** Reading the tick makes Alpine compute it again. */
  requests: (row: ServerRow) => nowText(row, `${format.rate(pool().tick >= 0 ? rates.requests(row.id) : 0)}/s`),
}));
registerPlots(Alpine, pool, history, minutesShown);
registerSparks(Alpine, pool, history);
registerLater(Alpine, pool);
Alpine.start();
follow(pool(), history, rates);

/** Reads the data that the server has put into the page; null if there is none. */
function readBoot<T>(id: string): T | null {
  return JSON.parse(document.getElementById(id)?.textContent || "null") as T | null; // the server's own
}

/** Returns the function that names a plugin's work, as the page says. */
function labels(): LabelOf {
  const named = JSON.parse(document.querySelector<HTMLElement>(".shell")?.dataset["kinds"] || "{}") as Readonly<
    Record<string, string>
  >; // the server's own
  return (plugin) => named[plugin] ?? plugin;
}

/** The frame around all sections. */
function createShell() {
  const route = (): RouteStore => Alpine.store<RouteStore>("route");
  return {
    isOpen: (section: string) => route().is(section),
    /** For `aria-current`. */
    current: (section: string) => (route().is(section) ? "page" : "false"),
    /** Whether the section lists the workers or jobs of one server. */
    isOfOneServer: () => !["overview", "keys", "usage", "add", "use"].includes(route().section),
    skip: () => document.getElementById("main")?.focus(),
  };
}
