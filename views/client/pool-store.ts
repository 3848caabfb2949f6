import type { ClusterState, ServerRow } from "../../src/state/cluster-state.ts";
import type { HistoryState, Sample } from "../../src/state/history.ts";
import type { PoolState } from "../../src/state/overview-totals.ts";
import type { Problem } from "../../src/state/problems.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { listText, staleText } from "./cluster.ts";
import { clock } from "./format.ts";
import type { History } from "./history.ts";
import { Link, type LinkState } from "./link.ts";
import type { ServerRates } from "./server-rates.ts";
import type { Envelope, PluginState, Relayed } from "./state-types.ts";

/** Largest difference of the clocks. Past it the page's times are wrong, and logs are hard to match. */
const SKEW_MS = 5000;

/** Severities, worst first. */
const SEVERITIES: readonly Problem["severity"][] = ["critical", "warning", "info"];

/** The newest state, for every binding of the page. The server's data is frozen, so that Alpine does not watch it. */
export interface PoolStore {
  server: ServerState | null;
  /** The cluster as the server that answers sees it; null without a cluster. */
  cluster: ClusterState | null;
  /** Where the state comes from, if it is another server's. */
  relayed: Relayed | null;
  /** The id of the server that is shown; empty for all servers, and without a cluster. */
  chosen: string;
  plugins: Readonly<Record<string, PluginState>>;
  link: LinkState;
  /** A count of states. Plots and rates read it in order to be updated with every state. */
  tick: number;
  /** The current time by the server's clock, in milliseconds since 1970. */
  now: number;
  /** The viewer's time of day at the last state, if the connection is lost; else empty. */
  lastSeen: string;
  /** The time that the pointer is at in a plot, in milliseconds since 1970; null while it is at none. */
  pointedAt: number | null;
  /** Problems that only the browser can see. */
  foundHere: readonly Problem[];
  problems(): readonly Problem[];
  servers(): readonly ServerRow[];
  /** Returns the last second that the overview shows: of the chosen server, or of all. */
  shown(): Shown | null;
  listText(): string;
  staleText(): string;
  /** Shows another server, or with an empty id all of them. */
  choose(id: string): void;
}

/** Figures of one second. */
export interface Shown {
  readonly sample: Sample;
  readonly pools: readonly PoolState[];
}

/** `chosen` is the id of the server to show first. */
export function createPoolStore(boot: ServerState | null, cluster: ClusterState | null, chosen: string): PoolStore {
  return {
    // The page was rendered with the state of the server that answers.
    server: boot === null || (chosen !== "" && chosen !== boot.id) ? null : freeze(boot),
    cluster: cluster === null ? null : freeze(cluster),
    relayed: null,
    chosen,
    plugins: {},
    link: "connecting",
    tick: 0,
    now: boot === null ? Date.now() : Date.parse(boot.now),
    lastSeen: "",
    pointedAt: null,
    foundHere: [],
    problems() {
      const all = [...(this.server?.problems ?? []), ...this.foundHere];
      return all.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    },
    servers() {
      return this.cluster?.servers ?? [];
    },
    shown() {
      const { cluster, chosen, server } = this;
      if (cluster === null) return server;
      if (chosen === "") return cluster;
      const row = cluster.servers.find(({ id }) => id === chosen);
      return row?.sample ? { sample: row.sample, pools: row.pools } : server;
    },
    listText() {
      return listText(this.chosen, this.server, this.relayed, this.servers());
    },
    staleText() {
      return staleText(this.relayed, this.now);
    },
    // `follow` replaces it.
    choose() {},
  };
}

/** Keeps the store, the history and the rates of the servers up to date. `store` MUST be the reactive one. */
export function follow(store: PoolStore, history: History, rates: ServerRates): void {
  let offsetMs = store.server === null ? 0 : Date.parse(store.server.now) - Date.now();
  const seen = new Map<string, Problem>();
  /** Whether another server was chosen since the last envelope. */
  let isChosen = false;
  const report = (code: string, isThere: boolean, title: string, advice: string): void => {
    if (isThere === seen.has(code)) return;
    if (isThere) {
      const since = new Date().toISOString();
      seen.set(code, { code, severity: "warning", plugin: null, about: {}, title, advice, since });
    } else seen.delete(code);
    store.foundHere = freeze([...seen.values()]);
  };
  const link = new Link({
    query: () => queryOf(store),
    onEnvelope: ({ server, cluster, relayed, plugins }: Envelope) => {
      const isFirst = store.tick === 0;
      // A stale state has an old time.
      if (server && !relayed?.stale_since) offsetMs = Date.parse(server.now) - Date.now();
      store.server = server && freeze(server);
      rates.take(cluster?.servers ?? []);
      store.cluster = cluster ? freeze(cluster) : null;
      store.relayed = relayed ? freeze(relayed) : null;
      store.plugins = freeze(plugins);
      store.now = Date.now() + offsetMs;
      const shown = store.shown();
      if (shown) history.add(shown.sample);
      store.tick += 1;
      if (isFirst || isChosen || store.link === "reconnecting") void loadHistory(store, history);
      isChosen = false;
      report(
        "clock_skew",
        Math.abs(offsetMs) > SKEW_MS,
        "The clocks of this computer and the server differ.",
        `They are ${Math.round(Math.abs(offsetMs) / 1000)} s apart. Synchronise both with a time server (NTP).`,
      );
    },
    onChange: (state) => {
      store.link = state;
      if (state === "live") store.lastSeen = "";
      else if (store.lastSeen === "" && store.tick > 0) store.lastSeen = clock(Date.now(), true);
    },
    onUnknown: () => store.choose(""),
    onHeldBack: (isHeldBack) =>
      report(
        "stream_held_back",
        isHeldBack,
        "Something between this browser and the server holds events back.",
        "A proxy buffers responses, so streamed chats will stall as well. Switch off its buffering for this server.",
      ),
  });
  store.choose = (id) => {
    if (id === store.chosen) return;
    store.chosen = id;
    store.server = null;
    store.relayed = null;
    store.plugins = {};
    isChosen = true;
    history.clear();
    keepInAddress(id);
    link.reopen();
  };
  link.open();
  // Ages advance while the server sends nothing, and stop when the connection is lost.
  window.setInterval(() => {
    if (store.lastSeen === "") store.now = Date.now() + offsetMs;
  }, 1000);
}

async function loadHistory(store: PoolStore, history: History): Promise<void> {
  const { chosen } = store;
  const all = store.cluster !== null && chosen === "" ? "?server=all" : queryOf(store);
  const response = await fetch(`/api/state/history${all}`);
  if (!response.ok) return;
  const answer = (await response.json()) as HistoryState; // the server's own
  // Another server may have been chosen meanwhile.
  if (chosen !== store.chosen) return;
  history.load(answer);
  store.tick += 1;
}

function queryOf({ chosen }: PoolStore): string {
  return chosen === "" ? "" : `?server=${encodeURIComponent(chosen)}`;
}

/** Returns the id of the server that the page's address names; empty if it names none. */
export function chosenInAddress(): string {
  return new URLSearchParams(location.search).get("server") ?? "";
}

/** Keeps the chosen server in the page's address, so that it can be linked to and survives a reload. */
function keepInAddress(id: string): void {
  const url = new URL(location.href);
  if (id === "") url.searchParams.delete("server");
  else url.searchParams.set("server", id);
  window.history.replaceState(null, "", url);
}

/** Freezes a value, because Alpine makes everything else reactive, down to every field of every worker. */
function freeze<T extends object>(value: T): Readonly<T> {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) Object.freeze(inner);
  return Object.freeze(value);
}
