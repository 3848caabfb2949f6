import { describe, expect, test } from "bun:test";
import type { Link, LinkState } from "../../../../src/cluster/links/link.ts";
import { JobCounts } from "../../../../src/cluster/pools/job-counts.ts";
import { ClusterReport, type SeenPeer } from "../../../../src/cluster/state/cluster-state.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryNetwork } from "../../../support/memory-bus.ts";

const linkIn = (state: LinkState, more: Partial<Link> = {}): Link => ({
  peerId: "b",
  state,
  session: undefined,
  rttMs: 0.5,
  dialled: "10.0.0.2:8088",
  dialError: undefined,
  traffic: { bytesIn: 30, bytesOut: 20 },
  tell: () => false,
  ...more,
});

function setUp(peer: Partial<SeenPeer> = {}) {
  const clock = new FakeClock();
  const bus = new MemoryNetwork(clock).join("a");
  const beats: ((seen: SeenPeer) => void)[] = [];
  const seen: SeenPeer = {
    id: "b",
    epoch: "1",
    status: "alive",
    since: 5,
    heardAtWall: 7,
    clockAheadMs: 3,
    saidGoodbye: false,
    link: linkIn("direct"),
    greeting: { version: "1.2.3", region: "fra", address: "10.0.0.2:8088", keys: "k" },
    ...peer,
  };
  const jobs = new JobCounts();
  const report = new ClusterReport({
    name: "moorage",
    region: "iad",
    address: () => "10.0.0.1:8088",
    bus,
    busAddress: () => "127.0.0.1:4222",
    hasRecords: () => undefined,
    forbidden: () => [],
    keys: () => "k",
    peers: { all: () => [seen], sharedIds: [], onBeat: (listener) => void beats.push(listener) },
    jobs,
    offers: () => ({ taken: 1, declined: 0, late: 0, lost: 0 }),
    clock,
  });
  return { clock, bus, beats, seen, jobs, report };
}

describe("the report on a cluster", () => {
  test("puts together what peers tell, what links know and what was counted", () => {
    const { report, jobs } = setUp();
    jobs.jobsOut += 2;
    expect(report.facts()).toMatchObject({
      name: "moorage",
      region: "iad",
      address: "10.0.0.1:8088",
      bus: { isUp: true, address: "127.0.0.1:4222" },
      counts: { jobsOut: 2, jobsIn: 0, offers: { taken: 1 } },
      peers: [
        {
          id: "b",
          region: "fra",
          version: "1.2.3",
          status: "alive",
          since: 5,
          heardAt: 7,
          clockAheadMs: 3,
          hasSameKeys: true,
          address: "10.0.0.2:8088",
          link: { way: "direct", rttMs: 0.5, bytesIn: 30, bytesOut: 20 },
        },
      ],
    });
  });

  test.each([
    ["direct", "direct", undefined],
    ["lane", "bus", "refused"],
    ["connecting", "none", "refused"],
    ["unreachable", "none", "refused"],
  ] as const)(
    "a link that is %s goes the way %s, and says why dialling failed unless it stands",
    (state, way, failure) => {
      const { report } = setUp({ link: linkIn(state, { dialError: "refused" }) });
      expect(report.facts().peers[0]?.link).toMatchObject({ way, failure, tried: "10.0.0.2:8088" });
    },
  );

  test("says since when the bus is away and why, and passes on beats", () => {
    const { report, bus, clock, beats, seen } = setUp();
    const heard: string[] = [];
    report.onBeat((id) => heard.push(id));
    clock.advance(1000);
    bus.disconnect("no route");
    expect(report.facts().bus).toMatchObject({ isUp: false, since: clock.now(), reason: "no route" });
    for (const beat of beats) beat(seen);
    expect(heard).toEqual(["b"]);
  });

  test("tells a peer with other keys, and one without a link", () => {
    const greeting = { version: "1", keys: "other" };
    const [peer] = setUp({ greeting, link: undefined }).report.facts().peers;
    expect(peer).toMatchObject({ hasSameKeys: false, link: { way: "none", rttMs: undefined, tried: undefined } });
  });
});
