import type { History } from "./history.ts";
import { Link, type LinkState } from "./link.ts";
import type { Envelope, HistoryAnswer, PluginState, Problem, ServerState } from "./state-types.ts";

/** Largest difference of the clocks. Past it the page's times are wrong, and logs are hard to match. */
const SKEW_MS = 5000;

/** Severities, worst first. */
const SEVERITIES: readonly Problem["severity"][] = ["critical", "warning", "info"];

/** The newest state, for every binding of the page. The server's data is frozen, so that Alpine does not watch it. */
export interface PoolStore {
  server: ServerState | null;
  plugins: Readonly<Record<string, PluginState>>;
  link: LinkState;
  /** A count of states. Plots and rates read it in order to be updated with every state. */
  tick: number;
  /** The current time by the server's clock, in milliseconds since 1970. */
  now: number;
  /** The viewer's time of day at the last state, if the connection is lost; else empty. */
  lastSeen: string;
  /** Problems that only the browser can see. */
  foundHere: readonly Problem[];
  problems(): readonly Problem[];
}

export function createPoolStore(boot: ServerState | null): PoolStore {
  return {
    server: boot === null ? null : freeze(boot),
    plugins: {},
    link: "connecting",
    tick: 0,
    now: boot === null ? Date.now() : Date.parse(boot.now),
    lastSeen: "",
    foundHere: [],
    problems() {
      const all = [...(this.server?.problems ?? []), ...this.foundHere];
      return all.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    },
  };
}

/** Keeps the store and the history up to date. `store` MUST be the reactive one. */
export function follow(store: PoolStore, history: History): void {
  let offsetMs = store.server === null ? 0 : Date.parse(store.server.now) - Date.now();
  const seen = new Map<string, Problem>();
  const report = (code: string, isThere: boolean, title: string, advice: string): void => {
    if (isThere === seen.has(code)) return;
    if (isThere) {
      const since = new Date().toISOString();
      seen.set(code, { code, severity: "warning", plugin: null, title, advice, since });
    } else seen.delete(code);
    store.foundHere = freeze([...seen.values()]);
  };
  const link = new Link({
    onEnvelope: ({ server, plugins }: Envelope) => {
      const isFirst = store.tick === 0;
      offsetMs = Date.parse(server.now) - Date.now();
      history.add(server.sample);
      store.server = freeze(server);
      store.plugins = freeze(plugins);
      store.now = Date.now() + offsetMs;
      store.tick += 1;
      if (isFirst || store.link === "reconnecting") void loadHistory(store, history);
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
      else if (store.lastSeen === "" && store.tick > 0) store.lastSeen = new Date().toLocaleTimeString();
    },
    onHeldBack: (isHeldBack) =>
      report(
        "stream_held_back",
        isHeldBack,
        "Something between this browser and the server holds events back.",
        "A proxy buffers responses, so streamed chats will stall as well. Switch off its buffering for this server.",
      ),
  });
  link.open();
  // Ages advance while the server sends nothing, and stop when the connection is lost.
  window.setInterval(() => {
    if (store.lastSeen === "") store.now = Date.now() + offsetMs;
  }, 1000);
}

async function loadHistory(store: PoolStore, history: History): Promise<void> {
  const response = await fetch("/api/state/history");
  if (!response.ok) return;
  history.load((await response.json()) as HistoryAnswer); // the server's own
  store.tick += 1;
}

/** Freezes a value, because Alpine makes everything else reactive, down to every field of every worker. */
function freeze<T extends object>(value: T): Readonly<T> {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) Object.freeze(inner);
  return Object.freeze(value);
}
