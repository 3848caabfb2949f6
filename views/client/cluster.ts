import type { ClusterState, ServerRow } from "../../src/state/cluster-state.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { duration, plural } from "./format.ts";
import type { Relayed } from "./state-types.ts";
import { type LabelOf, type Verdict, verdictOf } from "./verdict.ts";

// What the page says about a cluster. All functions are pure.

/** Summarizes the health of all servers. `server` is the one that answers, whose problems include those of the cluster. */
export function clusterVerdict(server: ServerState, cluster: ClusterState, labelOf: LabelOf): Verdict {
  const running = cluster.servers.filter(({ state }) => state !== "gone");
  const isServing = running.some(({ state }) => state === "alive");
  const { sample, pools } = cluster;
  // A server that shuts down hands its work over, and the cluster goes on.
  const verdict = verdictOf({ ...server, state: isServing ? "ready" : server.state, sample, pools }, labelOf);
  if (verdict.tone === "bad") return verdict;
  const others = running.filter(({ id }) => id !== server.id);
  const critical = others.filter(({ problems }) => (problems?.critical ?? 0) > 0);
  if (critical.length > 0) return reported("bad", "critical problem", critical);
  if (verdict.tone !== "good") return verdict;
  const warning = others.filter(({ problems }) => (problems?.warning ?? 0) > 0);
  if (warning.length > 0) return reported("busy", "warning", warning);
  return { ...verdict, detail: `${plural(running.length, "server")}; ${verdict.detail}` };
}

function reported(tone: Verdict["tone"], what: string, servers: readonly ServerRow[]): Verdict {
  const names = servers.map(({ id }) => id).join(", ");
  return {
    tone,
    title: servers.length === 1 ? `Server ${names} reports a ${what}.` : `${servers.length} servers report a ${what}.`,
    detail: `Choose ${servers.length === 1 ? "it" : `one of them (${names})`} at the top of the page to see which.`,
  };
}

/** Returns one line that says how many servers work together. */
export function summaryOf({ servers, peers_lost: lost, bus, id }: ClusterState): string {
  const running = servers.filter(({ state }) => state !== "gone");
  const working = running.filter(({ state }) => state === "alive" || state === "draining");
  const together =
    working.length === running.length
      ? `${plural(running.length, "server")} ${running.length === 1 ? "runs" : "work together"}`
      : `${working.length} of ${plural(running.length, "server")} work together`;
  const missing = lost === 0 ? [] : [`${lost} lost`];
  return `${[together, ...missing, bus.state === "up" ? "NATS is up" : "NATS is away"].join(", ")}; as server ${id} sees it.`;
}

/** The region and the version of a server, and whether it is the one that the page talks to. */
export function detailOf(row: ServerRow, cluster: ClusterState): string {
  const parts = [
    row.id === cluster.id ? ["answers this page"] : [],
    row.region === null ? [] : [row.region],
    row.version,
  ];
  return parts.flat().join(" · ");
}

/** Returns the class of a server's badge, so that it has the colour of workers in a similar state. */
export function badgeOf({ state, is_lost }: ServerRow): string {
  if (state === "alive") return "idle";
  if (state === "draining" || state === "suspect") return "draining";
  return state === "gone" && !is_lost ? "" : "not_ready";
}

export function linkText({ link, rtt_ms, state }: ServerRow): string {
  if (link === null || state === "gone") return "–";
  if (link === "none") return "none";
  const way = link === "bus" ? "through NATS" : "direct";
  return rtt_ms === null ? way : `${way}, ${rtt_ms < 10 ? `${rtt_ms.toFixed(1)} ms` : duration(rtt_ms)}`;
}

/** Returns how long a server has been silent; empty while that is normal. */
export function heardText({ gossip_age_ms: age, state }: ServerRow): string {
  return age === null || age < 2500 || state === "gone" ? "" : `silent for ${duration(age)}`;
}

/** A figure of a server as of now. What a server that is gone told last would look like load that still runs. */
export function nowText({ state }: ServerRow, figure: number | string): string {
  return state === "gone" ? "–" : String(figure);
}

export function problemText({ problems, state }: ServerRow): string {
  if (problems === null || state === "gone") return "–";
  const { critical, warning } = problems;
  if (critical + warning === 0) return "none";
  return [critical > 0 ? [`${critical} critical`] : [], warning > 0 ? [plural(warning, "warning")] : []]
    .flat()
    .join(", ");
}

/** The most servers that a line names. */
const MAX_NAMED = 5;

/** Names the other servers that run, with their workers, so that the reader knows where to look; empty without any. */
function othersText(id: string, rows: readonly ServerRow[]): string {
  const others = rows.filter((row) => row.id !== id && row.state !== "gone");
  const named = others.slice(0, MAX_NAMED).map((row) => `${row.id} (${plural(row.workers, "worker")})`);
  const more = others.length > MAX_NAMED ? [`${others.length - MAX_NAMED} more`] : [];
  return [...named, ...more].join(", ");
}

/**
 * Returns the line that says whose workers and jobs the page lists. `chosen` is empty for all servers, and `rows` are those of
 * the whole cluster.
 */
export function listText(
  chosen: string,
  server: ServerState | null,
  relayed: Relayed | null,
  rows: readonly ServerRow[],
): string {
  if (chosen !== "" && server === null) return `Waiting for the state of server ${chosen}…`;
  const id = server?.id ?? chosen;
  const others = othersText(id, rows);
  const choice = others === "" ? "" : `. Choose another one at the top: ${others}`;
  const why = chosen === "" ? `, which answers this page${choice}` : "";
  const by = relayed === null ? "" : `, as received by server ${relayed.by}`;
  return `Workers, models and jobs of server ${id}${by}${why}.`;
}

/** Returns the line that says how old a peer's state is; empty while it is current. `now` is in milliseconds since 1970. */
export function staleText(relayed: Relayed | null, now: number): string {
  if (!relayed || relayed.stale_since === null) return "";
  const age = Math.max(0, now - Date.parse(relayed.stale_since));
  return `The server has not answered for ${duration(Math.round(age / 1000) * 1000)}; this is its last state.`;
}
