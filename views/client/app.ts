import type { ClusterState, ServerRow } from "../../src/state/cluster-state.ts";
import type { Sample } from "../../src/state/history.ts";
import type { PoolState } from "../../src/state/overview-totals.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { Alpine } from "./alpine.js";
import { callersOf } from "./callers.ts";
import { badgeOf, clusterVerdict, detailOf, heardText, linkText, nowText, problemText, summaryOf } from "./cluster.ts";
import { createCopy } from "./copy.ts";
import * as format from "./format.ts";
import { History, perSecond } from "./history.ts";
import { registerLater } from "./later.ts";
import { createOperator } from "./operator.ts";
import { registerPlots } from "./plots.ts";
import { chosenInAddress, createPoolStore, follow, type PoolStore } from "./pool-store.ts";
import { type RouteStore, registerRoute } from "./route.ts";
import { registerSeen } from "./seen.ts";
import { ServerRates } from "./server-rates.ts";
import { createTable } from "./tables.ts";
import { createThemeSwitch } from "./theme-switch.ts";
import { poolsInUse, queueText, verdictOf } from "./verdict.ts";

// The entry point of the dashboard: connects the data to the server's markup.

const history = new History();
const rates = new ServerRates();
const boot = readBoot<ServerState>("boot");
const bootCluster = readBoot<ClusterState>("boot-cluster");
const pool = (): PoolStore => Alpine.store<PoolStore>("pool");

Alpine.store("pool", createPoolStore(boot, bootCluster, bootCluster === null ? "" : chosenInAddress()));
Alpine.store("operator", createOperator());
Alpine.magic("format", () => format);
registerRoute(Alpine);
Alpine.data("shell", createShell);
Alpine.data("parts", createParts);
Alpine.data("table", createTable(pool));
Alpine.data("theme", createThemeSwitch);
Alpine.data("copy", createCopy);
Alpine.data("overview", () => ({
  verdict: () => {
    const { server, cluster, chosen } = pool();
    if (server === null) {
      const title = chosen === "" ? "Connecting…" : `Waiting for the state of server ${chosen}…`;
      return { tone: "busy", title, detail: "" };
    }
    return cluster !== null && chosen === "" ? clusterVerdict(server, cluster) : verdictOf(server);
  },
  /** Averages over the last ten seconds. Reading the tick makes Alpine compute it again. */
  perSecond: (field: "requests" | "tokens") => (pool().tick >= 0 ? perSecond(history.samples, field, 10) : 0),
  errorPercent: () => {
    if (pool().tick < 0) return 0;
    const failures = perSecond(history.samples, "failures", 60);
    return format.percent(failures, perSecond(history.samples, "requests", 60));
  },
  /** The part of the prompt tokens of five minutes that came from caches; null where no answer stated it. */
  cachedPercent: () => {
    if (pool().tick < 0) return null;
    const prompts = perSecond(history.samples, "prompt_tokens", 300);
    return prompts === 0 ? null : format.percent(perSecond(history.samples, "cached_tokens", 300), prompts);
  },
  pools: () => poolsInUse(pool().shown()?.pools ?? []),
  isFull: ({ slots_used, slots_total }: PoolState) => slots_total > 0 && slots_used >= slots_total,
  /** The places of the fullest queue. */
  queueText: () => queueText(pool().shown()?.pools ?? []),
  callers: callersOnce(),
  callersText: () => `At server ${pool().server?.id ?? ""}, which answers this page. Choose another one at the top.`,
  problemsText: () =>
    `Of server ${pool().server?.id ?? ""}, which answers this page, and of the cluster as it sees it.`,
  sample: (field: keyof Sample) => pool().shown()?.sample[field] ?? null,
  workers: () => {
    const sample = pool().shown()?.sample;
    if (!sample) return 0;
    return sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
  },
}));
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
registerPlots(Alpine, pool, history);
registerSeen(Alpine);
registerLater(Alpine, pool);
Alpine.start();
follow(pool(), history, rates);

/** Reads the data that the server has put into the page; null if there is none. */
function readBoot<T>(id: string): T | null {
  return JSON.parse(document.getElementById(id)?.textContent || "null") as T | null; // the server's own
}

/** Lists the callers once for each state, although the list is read several times. */
function callersOnce() {
  let known: { readonly plugins: PoolStore["plugins"]; readonly rows: ReturnType<typeof callersOf> } | undefined;
  return () => {
    const { plugins } = pool();
    if (known?.plugins !== plugins) known = { plugins, rows: callersOf(plugins) };
    return known.rows;
  };
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

/** Parts of one plugin's section, one shown at a time. */
function createParts(first: string) {
  return {
    part: first,
    show(name: string): void {
      this.part = name;
    },
    isShown(name: string): boolean {
      return this.part === name;
    },
  };
}
