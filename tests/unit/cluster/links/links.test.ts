import { describe, expect, test } from "bun:test";
import { LaneHub } from "../../../../src/cluster/links/lane-hub.ts";
import type { LinkContact } from "../../../../src/cluster/links/link-auth.ts";
import type { Links } from "../../../../src/cluster/links/links.ts";
import type { Log, LogFields } from "../../../../src/system/deps.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryNetwork } from "../../../support/memory-bus.ts";
import { PeerNetwork, settleNetwork } from "../../../support/peer-network.ts";

type Server = { readonly links: Links; readonly contact: LinkContact };

async function pass(network: PeerNetwork, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    network.clock.advance(Math.min(50, left));
    await settleNetwork();
  }
}

function meet(...servers: readonly Server[]): void {
  for (const { links } of servers) for (const { contact } of servers) links.heard(contact);
}

async function pair() {
  const network = new PeerNetwork(new FakeClock());
  const [a, b] = [network.join("a"), network.join("b")];
  meet(a, b);
  await pass(network, 1000);
  return { network, a, b };
}

describe("two servers that hear of each other", () => {
  test("have one link, which the one with the smaller id has dialled", async () => {
    const { network, a, b } = await pair();
    expect(network.dials).toEqual(["a b"]);
    expect(network.open).toHaveLength(1);
    expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
    // The clock of a test moves in steps.
    expect(a.links.linkTo("b")?.rttMs).toBeWithin(0, 50);
    expect(b.links.linkTo("a")?.rttMs).toBeWithin(0, 50);
  });

  test("have one link if only the one with the larger id can dial", async () => {
    const network = new PeerNetwork(new FakeClock());
    network.mayDial = (from) => from === "b";
    const [a, b] = [network.join("a"), network.join("b")];
    meet(a, b);
    await pass(network, 1000);
    expect(network.open.map(({ from }) => from)).toEqual(["b"]);
    expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
  });

  test("keep one of two links that were dialled at the same time, the same at both ends", async () => {
    const network = new PeerNetwork(new FakeClock());
    const [a, b] = [network.join("a"), network.join("b")];
    a.links.heard(b.contact);
    // The other one hears much earlier than it dials, so both dial in one moment.
    b.links.heard(a.contact);
    network.mayDial = () => false;
    await pass(network, 290);
    network.mayDial = () => true;
    await pass(network, 3000);
    expect(network.open).toHaveLength(1);
    const [kept] = network.open;
    expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
    const before = kept?.dialler.sent.length ?? 0;
    a.links.linkTo("b")?.tell("x", "from a");
    b.links.linkTo("a")?.tell("x", "from b");
    await settleNetwork();
    expect(kept?.dialler.sent.length).toBeGreaterThan(before);
  });

  test("dial again when the link has broken, and are told of both", async () => {
    const { network, a, b } = await pair();
    const heard: string[] = [];
    a.links.line.onLost((peer) => heard.push(`lost ${peer}`));
    a.links.line.onJoined((peer) => heard.push(`joined ${peer}`));
    network.open[0]?.end("broken");
    expect(a.links.linkTo("b")?.state).toBe("connecting");
    expect(a.links.linkTo("b")?.session).toBeUndefined();
    await pass(network, 1000);
    expect(heard).toEqual(["lost b", "joined b"]);
    expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
    expect(network.open).toHaveLength(1);
  });

  test("cut a link that has been silent for 1.5 s, within 2 s", async () => {
    const { network, a } = await pair();
    for (const each of network.open) each.isSilent = true;
    await pass(network, 900);
    expect(a.links.linkTo("b")?.state).toBe("direct");
    await pass(network, 1100);
    expect(network.pairs[0]?.isOver).toBe(true);
  });

  test("say in the log why a link has ended, and warn only if nobody meant it to end", async () => {
    const network = new PeerNetwork(new FakeClock());
    const lines: string[] = [];
    const put = (level: string) => (event: string, fields?: LogFields) => {
      if (event === "link.closed") lines.push(`${level} ${fields?.["reason"]}`);
    };
    const log: Log = { ...silentLog, info: put("info"), warn: put("warn"), with: () => log };
    const [a, b] = [network.join("a", { log }), network.join("b")];
    meet(a, b);
    await pass(network, 1000);
    for (const each of network.open) each.isSilent = true;
    await pass(network, 2000);
    expect(lines).toEqual(["warn no sign of life"]);
    await pass(network, 1000);
    for (const each of network.open) each.end("the connection broke");
    await pass(network, 1000);
    b.links.close("the server stops");
    await pass(network, 100);
    expect(lines).toEqual(["warn no sign of life", "warn the connection broke", "info the server stops"]);
  });

  test("keep a link that nobody uses for an hour", async () => {
    const { network } = await pair();
    for (let minute = 0; minute < 10; minute += 1) await pass(network, 2000);
    expect(network.pairs).toHaveLength(1);
    expect(network.open).toHaveLength(1);
  });

  test("send each other small messages by topic, and drop those that nobody takes", async () => {
    const { a, b } = await pair();
    const heard: string[] = [];
    b.links.onTell("work", (peer, text) => heard.push(`${peer}: ${text}`));
    b.links.line.onTell((peer, text) => heard.push(`line ${peer}: ${text}`));
    expect(a.links.linkTo("b")?.tell("work", "1")).toBe(true);
    expect(a.links.linkTo("b")?.tell("unknown", "2")).toBe(true);
    expect(a.links.line.tell("b", "3")).toBe(true);
    expect(a.links.line.tell("c", "4")).toBe(false);
    expect(a.links.linkTo("b")?.tell("work", "x".repeat(300_000))).toBe(false);
    await settleNetwork();
    expect(heard).toEqual(["a: 1", "line a: 3"]);
    expect([...a.links.line.peers()]).toEqual(["b"]);
  });

  test("replace a link at once when one of them has been restarted", async () => {
    const { network, a, b } = await pair();
    const heard: string[] = [];
    a.links.line.onLost((peer) => heard.push(`lost ${peer}`));
    a.links.line.onJoined((peer) => heard.push(`joined ${peer}`));
    // The old process is gone without a sign.
    for (const each of network.open) each.isSilent = true;
    const again = network.join("b", { epoch: "second" });
    a.links.heard(again.contact);
    again.links.heard(a.contact);
    await pass(network, 400);
    expect(a.links.linkTo("b")?.state).toBe("direct");
    expect(network.open.map(({ isSilent }) => isSilent)).toEqual([false]);
    // The object of the old process goes on in this test, and dials again afterwards.
    expect(heard.slice(0, 2)).toEqual(["lost b", "joined b"]);
    b.links.close("gone");
  });
});

test("a link that only one of two servers has noticed to be broken was lost for both, when there is another one", async () => {
  const { network, a, b } = await pair();
  const heard: string[] = [];
  b.links.line.onLost((peer) => heard.push(`lost ${peer}`));
  b.links.line.onJoined((peer) => heard.push(`joined ${peer}`));
  const [broken] = network.open;
  if (!broken) throw new Error("there is a link");
  broken.isSilent = true;
  broken.dialler.events?.onClosed("the connection broke");
  await pass(network, 400);
  expect(heard).toEqual(["lost a", "joined a"]);
  expect([a.links.linkTo("b")?.state, b.links.linkTo("a")?.state]).toEqual(["direct", "direct"]);
  expect(network.open.map(({ isSilent }) => isSilent)).toEqual([false]);
});

describe("a server that cannot be reached", () => {
  test("is unreachable after two failed dials, names the address that was tried, and is dialled again", async () => {
    const network = new PeerNetwork(new FakeClock());
    network.mayDial = () => false;
    const [a, b] = [network.join("a"), network.join("b")];
    const states: string[] = [];
    a.links.onChange(({ state }) => states.push(state));
    meet(a, b);
    await pass(network, 1000);
    const link = a.links.linkTo("b");
    expect([link?.state, link?.dialled, link?.dialError]).toEqual(["unreachable", "b", "nobody answers"]);
    expect(states).toEqual(["unreachable"]);
    const dials = network.dials.length;
    network.mayDial = () => true;
    await pass(network, 8000);
    expect(network.dials.length).toBeGreaterThan(dials);
    expect([link?.state, link?.dialError]).toEqual(["direct", undefined]);
  });

  test("is dialled at once when it tells another address", async () => {
    const network = new PeerNetwork(new FakeClock());
    const [a, b] = [network.join("a"), network.join("b")];
    a.links.heard({ ...b.contact, address: "nowhere" });
    await pass(network, 20_000);
    expect(a.links.linkTo("b")?.state).toBe("unreachable");
    a.links.heard(b.contact);
    await pass(network, 50);
    expect(a.links.linkTo("b")?.state).toBe("direct");
  });

  test("has a lane over the bus, also if the link that asked for it has ended since and there is another one", async () => {
    const network = new PeerNetwork(new FakeClock());
    network.mayDial = () => false;
    const buses = new MemoryNetwork(network.clock);
    const join = (id: string) => {
      const self = { id, epoch: `epoch-of-${id}` };
      const subject = (server: string): string => `lane.${server}`;
      return network.join(id, { lanes: new LaneHub({ self, bus: buses.join(id), subject, clock: network.clock }) });
    };
    const [a, b] = [join("a"), join("b")];
    buses.partition(["a"], ["b"]);
    meet(a, b);
    await pass(network, 1000);
    expect(a.links.linkTo("b")?.state).toBe("unreachable");
    for (const [links, peer] of [
      [a.links, b],
      [b.links, a],
    ] as const) {
      links.forget(peer.contact.id, "the server is gone");
      links.heard(peer.contact);
    }
    // Long enough for both to find again that nobody answers.
    await pass(network, 600);
    const states: string[] = [];
    for (const { links } of [a, b]) links.onChange(({ state }) => states.push(state));
    buses.heal();
    await pass(network, 2000);
    expect(states).toEqual(["lane", "lane"]);
  });

  test("that has left is not dialled again", async () => {
    const { network, a, b } = await pair();
    const dials = network.dials.length;
    a.links.forget("b", "it has left");
    b.links.close("it leaves");
    await pass(network, 20_000);
    expect(a.links.linkTo("b")).toBeUndefined();
    expect(network.dials).toHaveLength(dials);
    expect(network.clock.pending).toBeLessThanOrEqual(2);
  });
});

describe("a program that is no member of the cluster", () => {
  const impostors: readonly (readonly [string, (contact: LinkContact) => LinkContact])[] = [
    ["has a wrong key", (contact) => ({ ...contact, linkKey: "wrong" })],
    ["means another run of the server", (contact) => ({ ...contact, epoch: "earlier" })],
  ];
  test.each(impostors)("gets no link if it %s", async (_what, change) => {
    const network = new PeerNetwork(new FakeClock());
    const [server, impostor] = [network.join("b"), network.join("a")];
    impostor.links.heard(change(server.contact));
    await pass(network, 5000);
    expect(network.pairs).toHaveLength(0);
    expect(server.links.linkTo("a")).toBeUndefined();
  });

  test("gets nothing from a server that dials it at the address of a peer", async () => {
    const network = new PeerNetwork(new FakeClock());
    const [a, b] = [network.join("a"), network.join("b")];
    b.links.close("gone");
    const heard: Uint8Array[] = [];
    // It accepts every dial and sends what a server would send, as far as it knows that.
    network.transport("b").listen({ host: "b", port: 1 }, () => (channel) => {
      channel.send(
        hello({ epoch: b.contact.epoch, link: [1, 1], window: 1000, kinds: ["http"], proof: "x".repeat(43) }),
      );
      return { onMessage: (message) => void heard.push(message), onDrain: () => {}, onClosed: () => {} };
    });
    a.links.heard(b.contact);
    await pass(network, 3000);
    expect(network.pairs.length).toBeGreaterThan(0);
    expect(heard).toEqual([]);
    expect(a.links.linkTo("b")?.session).toBeUndefined();
    expect(a.links.linkTo("b")?.dialError).toBe("the server at this address could not prove who it is");
  });
});

/** Encodes a first message by hand. */
function hello(content: object): Uint8Array {
  const text = Buffer.from(`\x05hello${JSON.stringify(content)}`);
  const message = Buffer.alloc(4 + 6 + text.length);
  message.writeUInt32BE(6 + text.length, 0);
  message[4] = 16;
  message.set(text, 10);
  return message;
}
