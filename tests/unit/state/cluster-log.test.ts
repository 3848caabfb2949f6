import { describe, expect, test } from "bun:test";
import type { ClusterFacts, PeerFacts } from "../../../src/state/cluster-facts.ts";
import { changesBetween } from "../../../src/state/cluster-log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { QUIET_LINK, ScriptedCluster } from "../../support/scripted-cluster.ts";

const factsWith = (peer?: Partial<PeerFacts>, isUp = true): ClusterFacts => {
  const cluster = new ScriptedCluster(new FakeClock());
  if (peer) cluster.peer("b", peer);
  cluster.bus({ isUp });
  return cluster.facts();
};

const events = (before: ClusterFacts | undefined, now: ClusterFacts): readonly string[] =>
  changesBetween(before, now).map(({ event, level }) => `${level} ${event}`);

describe("the log", () => {
  test("has a line for each change of a server's state, and none while nothing changes", () => {
    expect(events(undefined, factsWith())).toEqual([]);
    expect(events(factsWith(), factsWith({}))).toEqual(["info cluster.peer_joined", "info cluster.linked"]);
    expect(events(factsWith({}), factsWith({}))).toEqual([]);
    const changes: readonly (readonly [Partial<PeerFacts>, Partial<PeerFacts>, string])[] = [
      [{}, { status: "suspect" }, "warn cluster.peer_suspect"],
      [{ status: "suspect" }, {}, "info cluster.peer_back"],
      [{}, { status: "draining" }, "info cluster.peer_draining"],
      [{ status: "draining" }, { status: "gone", saidGoodbye: true }, "info cluster.peer_left"],
      [{ status: "suspect" }, { status: "gone" }, "warn cluster.peer_lost"],
      [{ status: "gone" }, { epoch: "b-2" }, "info cluster.peer_joined"],
      [{}, { status: "unreachable" }, "warn cluster.peer_unreachable"],
      [{}, { status: "incompatible" }, "warn cluster.peer_incompatible"],
      [{}, { hasSameKeys: false }, "warn cluster.keys_differ"],
      [{ hasSameKeys: false }, {}, "info cluster.keys_agree"],
    ];
    for (const [before, now, line] of changes) expect(events(factsWith(before), factsWith(now))).toEqual([line]);
  });

  test("says that NATS went away and came back, and at the start only if it is away", () => {
    expect(events(undefined, factsWith(undefined, false))).toEqual(["warn cluster.bus_away"]);
    expect(events(factsWith(), factsWith(undefined, false))).toEqual(["warn cluster.bus_away"]);
    expect(events(factsWith(undefined, false), factsWith())).toEqual(["info cluster.bus_back"]);
  });

  test("names the address that was tried and the reason of a server that cannot be reached", () => {
    const link = { ...QUIET_LINK, way: "none", tried: "10.0.0.2:8088", failure: "timed out" } as const;
    const [line] = changesBetween(factsWith({ link }), factsWith({ link, status: "unreachable" }));
    expect(line?.fields).toMatchObject({ peer: "b", address: "10.0.0.2:8088", reason: "timed out" });
  });

  test("does not mention a server that had left before this one started", () => {
    expect(events(undefined, factsWith({ status: "gone", link: { ...QUIET_LINK, way: "none" } }))).toEqual([]);
  });
});
