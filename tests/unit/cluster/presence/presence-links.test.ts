import { afterEach, expect, test } from "bun:test";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { PresenceRig, type RigServer } from "../../../support/presence-rig.ts";
import { LinkNetwork, type RigLinks } from "../../../support/rig-links.ts";

const NEEDS = { excluded: NONE_EXCLUDED };

let rig = new PresenceRig(new FakeClock());
let network = new LinkNetwork(rig.clock);
afterEach(() => {
  rig.close();
  rig = new PresenceRig(new FakeClock());
  network = new LinkNetwork(rig.clock);
});

interface Linked {
  readonly server: RigServer;
  readonly links: RigLinks;
}

function start(id: string): Linked {
  const links = network.join(id);
  return { server: rig.start(id, { links }), links };
}

/** Three servers with all links, of which the first has a worker. */
async function three(): Promise<{ a: Linked; b: Linked; c: Linked }> {
  const [a, b, c] = [start("a"), start("b"), start("c")];
  a.server.connect({ id: "w" });
  await rig.run(200);
  network.connect();
  await rig.run(1000);
  return { a, b, c };
}

test("a server gets jobs once there is a link to it", async () => {
  const [a, b] = [start("a"), start("b")];
  a.server.connect({ id: "w" });
  await rig.run(300);
  expect(b.server.directory.isReady("m", NEEDS)).toBe(true);
  expect(b.server.directory.choose("m", NEEDS)).toBeUndefined();
  network.connect();
  expect(b.server.directory.choose("m", NEEDS)?.server).toBe("a");
});

test("a server whose link breaks is gone at once, and back with its next beat and a new link", async () => {
  const { b } = await three();
  network.set("a", "b", "connecting");
  expect(b.server.presence.peers.get("a")?.status).toBe("gone");
  expect([...b.server.directory.servedModels()]).toEqual([]);
  expect(b.server.directory.isKnownModel("m")).toBe(true);
  await rig.run(1300);
  expect(b.server.presence.peers.get("a")?.status).toBe("alive");
  expect(b.server.directory.choose("m", NEEDS)).toBeUndefined();
  network.set("a", "b", "direct");
  expect(b.server.directory.choose("m", NEEDS)?.server).toBe("a");
});

test("a last beat that arrives after the link of its sender has broken does not bring it back", async () => {
  const { a, b } = await three();
  rig.network.weather.delayMs = [50, 50];
  a.server.presence.drain();
  await rig.run(10);
  network.set("a", "b", "connecting");
  a.server.kill();
  await rig.run(400);
  expect(b.server.presence.peers.get("a")?.status).toBe("gone");
});

test("a server that nobody can dial is shown, and its workers are not counted", async () => {
  const { b } = await three();
  network.set("a", "b", "unreachable");
  await rig.run(1300);
  expect(b.server.presence.peers.get("a")?.status).toBe("unreachable");
  expect([...b.server.directory.servedModels()]).toEqual([]);
  expect(b.server.presence.isSettled).toBe(true);
});

test("a server that nobody can dial is dialled again and again until it is gone", async () => {
  const [a, b] = [start("a"), start("b")];
  const unlinked: string[] = [];
  await rig.run(1300);
  b.server.presence.peers.onUnlinked((id) => unlinked.push(id));
  network.set("a", "b", "unreachable");
  await rig.run(2000);
  expect([b.server.presence.peers.get("a")?.status, unlinked]).toEqual(["unreachable", []]);
  a.server.kill();
  await rig.run(6000);
  expect([b.server.presence.peers.get("a")?.status, unlinked]).toEqual(["gone", ["a"]]);
});

test("while NATS is away, servers hear each other over their links", async () => {
  const { a, b, c } = await three();
  for (const { server } of [a, b, c]) server.bus.disconnect();
  await rig.run(30_000, 50);
  a.server.connect({ id: "v", models: ["n"] });
  await rig.run(50);
  expect(b.server.directory.serverOf("v")).toBe("a");
  expect(c.server.presence.members.ids().toSorted()).toEqual(["a", "b"]);
});

test("a server that has lost NATS alone is told over its link, and its snapshot comes the same way", async () => {
  const { a, b } = await three();
  b.server.bus.disconnect();
  await rig.run(50);
  // Nobody has told b of the first worker, because they do not know yet that it hears nothing.
  a.server.connect({ id: "v", models: ["n"] });
  await rig.run(4000);
  expect(b.server.directory.serverOf("v")).toBe("a");
  b.server.connect({ id: "u", models: ["o"] });
  await rig.run(50);
  expect(a.server.directory.serverOf("u")).toBe("b");
});

test("while NATS is away, only links tell that a server is gone", async () => {
  const { a, b, c } = await three();
  for (const { server } of [a, b, c]) server.bus.disconnect();
  a.server.kill();
  network.set("a", "b", "connecting");
  network.set("a", "c", "connecting");
  await rig.run(1000);
  expect(b.server.presence.members.ids()).toEqual(["c"]);
});

test("a server speaks for itself alone on its link", async () => {
  const { a, b } = await three();
  const epoch = b.server.presence.peers.get("c")?.epoch;
  a.links.linkTo("b").tell("gossip", JSON.stringify({ t: "bye", from: "c", epoch }));
  await rig.run(20);
  expect(b.server.presence.members.ids().toSorted()).toEqual(["a", "c"]);
});

test("the key of a server's links is not sent over links", async () => {
  const { a, b } = await three();
  const links = network.join("d");
  const own = {
    region: undefined,
    version: "1.0.0",
    keys: () => "keys",
    address: () => "127.0.0.1:1",
    linkKey: "link-key",
    load: () => undefined,
  };
  const d = rig.start("d", { links, own });
  await rig.run(100);
  expect(a.server.presence.peers.get("d")?.greeting.link_key).toBe("link-key");
  network.connect();
  d.bus.disconnect();
  await rig.run(3000);
  expect(links.sent.length).toBeGreaterThan(0);
  expect(links.sent.filter((text) => text.includes("link-key"))).toEqual([]);
  expect(b.server.presence.members.ids()).toContain("d");
});
