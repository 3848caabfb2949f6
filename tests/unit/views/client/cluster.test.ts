import { describe, expect, test } from "bun:test";
import type { ClusterState, ServerRow } from "../../../../src/state/cluster-state.ts";
import type { Sample } from "../../../../src/state/history.ts";
import type { ServerState } from "../../../../src/state/server-state.ts";
import {
  clusterVerdict,
  heardText,
  linkText,
  listText,
  nowText,
  problemText,
  staleText,
  summaryOf,
} from "../../../../views/client/cluster.ts";

/** The parts of a pool that these tests do not look at. */
const REST = {
  workers: { idle: 0, working: 0, not_ready: 0, draining: 0 },
  tokens_per_s: 0,
  tokens_estimated: false,
};

const sample = {
  workers_idle: 1,
  workers_working: 1,
  workers_not_ready: 0,
  workers_draining: 0,
  slots_used: 2,
  slots_total: 8,
  waiting: 0,
} as Sample; // the other columns are not read here

const pools = [{ plugin: "llm", slots_used: 2, slots_total: 8, waiting: 0, queue_capacity: 100, ...REST }];

const row = (id: string, more: Partial<ServerRow> = {}): ServerRow => ({
  id,
  region: null,
  version: "1",
  state: "alive",
  since: "2026-01-01T00:00:00Z",
  is_lost: false,
  address: null,
  link: "direct",
  link_problem: null,
  rtt_ms: 0.4,
  gossip_age_ms: 100,
  clock_ahead_ms: 0,
  workers: 1,
  slots: 4,
  busy: 1,
  waiting: 0,
  problems: { critical: 0, warning: 0 },
  sample,
  pools: [],
  ...more,
});

const cluster = (...servers: readonly ServerRow[]): ClusterState => ({
  name: "moorage",
  id: "a",
  bus: { state: "up", since: "2026-01-01T00:00:00Z", reason: null, address: null, records: true },
  peers_lost: servers.filter(({ is_lost }) => is_lost).length,
  is_whole: true,
  servers,
  sample,
  pools,
});

const server = (more: Partial<ServerState> = {}): ServerState =>
  ({ id: "a", state: "ready", sample, pools: [], problems: [], ...more }) as unknown as ServerState; // what is not read is left out

const verdictOn = (server: ServerState, of: ClusterState) => clusterVerdict(server, of, (plugin) => plugin);

describe("the verdict on a cluster", () => {
  test("is of all servers while nothing is wrong", () => {
    const verdict = verdictOn(server(), cluster(row("a"), row("b"), row("c", { state: "gone" })));
    expect(verdict).toMatchObject({ tone: "good", title: "All systems normal." });
    expect(verdict.detail).toBe("2 servers; 2 of 8 slots in use; no jobs waiting.");
  });

  test("does not take a server that shuts down for the end of the cluster", () => {
    const draining = server({ state: "draining" });
    expect(verdictOn(draining, cluster(row("a", { state: "draining" }), row("b"))).tone).toBe("good");
    expect(verdictOn(draining, cluster(row("a", { state: "draining" }))).title).toContain("shutting down");
  });

  test("names another server that reports a problem, the critical ones first", () => {
    const warning = row("b", { problems: { critical: 0, warning: 2 } });
    const critical = row("c", { problems: { critical: 1, warning: 0 } });
    expect(verdictOn(server(), cluster(row("a"), warning))).toMatchObject({
      tone: "busy",
      title: "Server b reports a warning.",
    });
    expect(verdictOn(server(), cluster(row("a"), warning, critical))).toMatchObject({
      tone: "bad",
      title: "Server c reports a critical problem.",
    });
  });
});

describe("the list of servers", () => {
  test("says how many work together, and what the bus does", () => {
    expect(summaryOf(cluster(row("a")))).toBe("1 server runs, NATS is up; as server a sees it.");
    expect(summaryOf(cluster(row("a"), row("b"), row("c")))).toBe(
      "3 servers work together, NATS is up; as server a sees it.",
    );
    const broken = cluster(row("a"), row("b", { state: "unreachable" }), row("c", { state: "gone", is_lost: true }));
    const away = { ...broken, bus: { ...broken.bus, state: "away" as const } };
    expect(summaryOf(away)).toBe("1 of 2 servers work together, 1 lost, NATS is away; as server a sees it.");
  });

  test("says how each is reached, whether it is silent, and what it reports", () => {
    expect(linkText(row("b"))).toBe("direct, 0.4 ms");
    expect(linkText(row("b", { link: "bus", rtt_ms: 84.2 }))).toBe("through NATS, 84 ms");
    expect(linkText(row("a", { link: null }))).toBe("–");
    expect(linkText(row("b", { link: "none" }))).toBe("none");
    expect(heardText(row("b"))).toBe("");
    expect(heardText(row("b", { gossip_age_ms: 4000 }))).toBe("silent for 4 s");
    expect(problemText(row("b"))).toBe("none");
    expect(problemText(row("b", { problems: { critical: 1, warning: 2 } }))).toBe("1 critical, 2 warnings");
  });

  test("shows no figures of a server that is gone, which would look like load that still runs", () => {
    expect(nowText(row("b"), 3)).toBe("3");
    const gone = row("b", { state: "gone", is_lost: true, problems: { critical: 1, warning: 0 } });
    expect([nowText(gone, 3), problemText(gone)]).toEqual(["–", "–"]);
  });
});

test("the line above the lists says whose they are, and how old a silent server's state is", () => {
  const relayed = { by: "a", at: null, stale_since: null };
  const rows = [row("a"), row("b", { workers: 1 }), row("c", { workers: 3 }), row("d", { state: "gone" })];
  expect(listText("", server(), null, rows)).toBe(
    "Workers, models and jobs of server a, which answers this page. Choose another one at the top: b (1 worker), c (3 workers).",
  );
  expect(listText("", server(), null, [row("a")])).toBe(
    "Workers, models and jobs of server a, which answers this page.",
  );
  const many = Array.from({ length: 8 }, (_, at) => row(`s${at}`, { workers: 0 }));
  expect(listText("", server(), null, many)).toEndWith("s4 (0 workers), 3 more.");
  expect(listText("b", server({ id: "b" }), relayed, rows)).toBe(
    "Workers, models and jobs of server b, as received by server a.",
  );
  expect(listText("b", null, relayed, rows)).toBe("Waiting for the state of server b…");
  expect(staleText(relayed, 0)).toBe("");
  const stale = { ...relayed, stale_since: "2026-01-01T00:00:00Z" };
  expect(staleText(stale, Date.parse("2026-01-01T00:01:05Z"))).toContain("has not answered for 1 min 5 s");
});
