import { describe, expect, test } from "bun:test";
import type { PeerFacts } from "../../../src/state/cluster-facts.ts";
import { findInCluster } from "../../../src/state/cluster-problems.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { QUIET_LINK, ScriptedCluster } from "../../support/scripted-cluster.ts";

const clusterOf = (...peers: readonly Partial<PeerFacts>[]): ScriptedCluster => {
  const cluster = new ScriptedCluster(new FakeClock());
  peers.forEach((peer, at) => {
    cluster.peer("bcdef"[at] ?? "z", peer);
  });
  return cluster;
};

const brief = (cluster: ScriptedCluster): readonly string[] =>
  findInCluster(cluster.facts()).map(({ code, about, severity }) => `${code} ${about ?? "-"} ${severity}`);

const REFUSED = { ...QUIET_LINK, tried: "10.0.0.2:8088", failure: "connection refused" };

describe("problems of a cluster", () => {
  test("are none while all servers are linked, and none for a server that said goodbye", () => {
    expect(brief(clusterOf({}, { status: "draining" }, { status: "gone", saidGoodbye: true }))).toEqual([]);
  });

  test("distinguish a server that works alone from servers that go on over their links", () => {
    const linked = clusterOf({}, {});
    linked.bus({ isUp: false, reason: "connection refused" });
    expect(brief(linked)).toEqual(["bus_away - critical", "limits_local - warning"]);
    const [away, limits] = findInCluster(linked.facts());
    expect(away?.title).toContain("the 3 servers that are linked go on together");
    expect(away?.advice).toContain("NATS at 127.0.0.1:4222");
    expect(away?.advice).toContain("connection refused");
    expect(limits?.title).toContain("3 servers together");

    const alone = clusterOf();
    alone.bus({ isUp: false });
    expect(brief(alone)).toEqual(["bus_away - critical"]);
    expect(findInCluster(alone.facts())[0]?.title).toContain("works alone");
  });

  test("say that another server has this one's id, rather than that NATS is away", () => {
    const cluster = clusterOf({});
    cluster.bus({ isUp: false, reason: "another server has the same SERVER_ID", idHeldOn: "rack-2" });
    expect(brief(cluster)).toEqual(["server_id_shared - critical"]);
    expect(findInCluster(cluster.facts())[0]?.title).toContain("on rack-2");
  });

  test("do not flash while NATS restarts", () => {
    const cluster = clusterOf({});
    cluster.bus({ isUp: false });
    for (const { afterMs } of findInCluster(cluster.facts())) expect(afterMs).toBeGreaterThanOrEqual(3000);
  });

  test("include a server that is gone without a goodbye, by its id", () => {
    expect(brief(clusterOf({ status: "gone" }))).toEqual(["peer_lost b warning"]);
  });

  test("name the address that was tried for a server that cannot be reached, and the reason", () => {
    const cluster = clusterOf({ status: "unreachable", link: { ...REFUSED, way: "none" } });
    expect(brief(cluster)).toEqual(["peer_unreachable b critical"]);
    expect(findInCluster(cluster.facts())[0]?.title).toBe(
      "Server b cannot be reached at 10.0.0.2:8088 (connection refused), so its workers are not used from here.",
    );
  });

  test("say when requests travel through NATS because a server cannot be reached", () => {
    expect(brief(clusterOf({ link: { ...REFUSED, way: "bus" } }))).toEqual(["link_through_nats b warning"]);
  });

  test("include silence, another version, other keys, a clock that is off and an id that is told twice", () => {
    const cluster = clusterOf(
      { status: "suspect" },
      { status: "incompatible", version: "9.0.0" },
      { hasSameKeys: false },
      { clockAheadMs: -7000 },
      { clockAheadMs: 4000 },
    );
    cluster.set({ sharedIds: ["b"] });
    expect(brief(cluster)).toEqual([
      "server_id_shared b critical",
      "peer_silent b warning",
      "peer_incompatible c warning",
      "cluster_keys_differ d critical",
      "cluster_clock_off e warning",
    ]);
    const texts = findInCluster(cluster.facts()).map(({ title }) => title);
    expect(texts[2]).toContain("9.0.0");
    expect(texts[4]).toBe("The clock of server e is 7 s behind this one's.");
  });

  test("include what NATS forbids, and quote the first refusals", () => {
    const cluster = clusterOf({});
    cluster.bus({ forbidden: ["publish a"] });
    expect(brief(cluster)).toEqual(["bus_forbidden - critical"]);
    cluster.bus({ forbidden: ["publish a", "publish b", "publish c", "subscription d"], hasRecords: false });
    expect(brief(cluster)).toEqual(["bus_forbidden - critical", "cluster_records_missing - warning"]);
    expect(findInCluster(cluster.facts())[0]?.title).toBe(
      "NATS forbids this server what it needs: publish a, publish b, publish c and more.",
    );
  });

  test("include a NATS without JetStream, once it is known to have none", () => {
    const cluster = clusterOf({});
    cluster.bus({ hasRecords: undefined });
    expect(brief(cluster)).toEqual([]);
    cluster.bus({ hasRecords: false });
    expect(brief(cluster)).toEqual(["cluster_records_missing - warning"]);
  });
});
