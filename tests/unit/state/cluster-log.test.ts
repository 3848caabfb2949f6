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
    expect(events(factsWith(), factsWith({}))).toEqual(["info cluster.peer_joined"]);
    expect(events(factsWith({}), factsWith({}))).toEqual([]);
    const changes: readonly (readonly [Partial<PeerFacts>, Partial<PeerFacts>, string])[] = [
      [{}, { status: "suspect" }, "warn cluster.peer_suspect"],
      [{ status: "suspect" }, {}, "info cluster.peer_back"],
      [{}, { status: "draining" }, "info cluster.peer_draining"],
      [{ status: "draining" }, { status: "gone", saidGoodbye: true }, "info cluster.peer_left"],
      [{ status: "suspect" }, { status: "gone" }, "warn cluster.peer_lost"],
      [{ status: "gone" }, { epoch: "b-2" }, "info cluster.peer_joined"],
      [{ status: "unreachable" }, {}, "info cluster.peer_back"],
      [{}, { status: "incompatible" }, "warn cluster.peer_incompatible"],
      [{}, { hasSameKeys: false }, "warn cluster.keys_differ"],
      [{ hasSameKeys: false }, {}, "info cluster.keys_agree"],
    ];
    for (const [before, now, line] of changes) expect(events(factsWith(before), factsWith(now))).toEqual([line]);
  });

  test("leaves to NATS and the links what they have written themselves", () => {
    expect(events(factsWith(), factsWith(undefined, false))).toEqual([]);
    expect(events(factsWith({}), factsWith({ status: "unreachable" }))).toEqual([]);
  });

  test("does not mention a server that had left before this one started", () => {
    expect(events(undefined, factsWith({ status: "gone", link: { ...QUIET_LINK, way: "none" } }))).toEqual([]);
  });
});
