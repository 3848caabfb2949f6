import { afterEach, expect, test } from "bun:test";
import { ANONYMOUS } from "../../../../src/auth/caller.ts";
import { NONE_EXCLUDED, withSession } from "../../../../src/pool/excluded.ts";
import type { Candidate } from "../../../../src/pool/queue-policy.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MODEL_GRACE_MS, PresenceRig } from "../../../support/presence-rig.ts";

let rig = new PresenceRig(new FakeClock());
afterEach(() => {
  rig.close();
  rig = new PresenceRig(new FakeClock());
});

const NEEDS = { excluded: NONE_EXCLUDED };

async function three() {
  const [a, b, c] = [rig.start("a"), rig.start("b"), rig.start("c")];
  await rig.run(200);
  return { a, b, c };
}

test("servers that start know each other and what the others serve", async () => {
  const a = rig.start("a");
  a.connect({ id: "w", models: ["m", "n"], slots: 3 });
  await rig.run(100);
  const b = rig.start("b");
  await rig.run(100);
  expect(b.presence.members.ids()).toEqual(["a"]);
  expect(a.presence.members.ids()).toEqual(["b"]);
  expect(b.knownOf("a")).toEqual(["m 1 3 3", "n 1 3 3"]);
  expect(b.directory.serverOf("w")).toBe("a");
});

test("a worker that comes or goes is known to all servers within 50 ms", async () => {
  const { a, b, c } = await three();
  const session = a.connect({ id: "w" });
  await rig.run(50);
  expect([b.directory.serverOf("w"), c.directory.serverOf("w")]).toEqual(["a", "a"]);
  session?.vanish();
  await rig.run(50);
  expect([b.directory.serverOf("w"), b.knownOf("a")]).toEqual([undefined, []]);
});

test("free slots that reach 0 or leave it are told at once, other changes within 250 ms", async () => {
  const { a, b } = await three();
  a.connect({ id: "w", slots: 3 });
  await rig.run(1000);
  const claim = () => a.pool.claim(a.pool.issueTicket(candidate("m"), rig.clock.elapsed()));
  claim();
  await rig.run(60);
  claim();
  await rig.run(60);
  expect(b.knownOf("a")).not.toEqual(["m 1 3 0"]);
  await rig.run(250);
  expect(b.knownOf("a")).toEqual(["m 1 3 1"]);
  const last = claim();
  await rig.run(60);
  expect(b.knownOf("a")).toEqual(["m 1 3 0"]);
  last?.release();
  await rig.run(60);
  expect(b.knownOf("a")).toEqual(["m 1 3 1"]);
});

test("what is lost is repaired by a snapshot after the next beat", async () => {
  const { a, b, c } = await three();
  rig.network.weather.loss = 1;
  a.connect({ id: "w" });
  await rig.run(100);
  rig.network.weather.loss = 0;
  expect(b.directory.serverOf("w")).toBeUndefined();
  await rig.run(1100);
  expect([b.directory.serverOf("w"), c.directory.serverOf("w")]).toEqual(["a", "a"]);
});

test("a session is found with its peer, as long as a slot is free there and nothing excludes it", async () => {
  const { a, b } = await three();
  const session = a.connect({ id: "w", slots: 1 });
  if (!session) throw new Error("the worker was refused");
  a.connect({ id: "other", models: ["n"] });
  await rig.run(300);
  const needs = { ...NEEDS, sessionId: session.id };
  expect(b.directory.choose("m", needs)?.server).toBe("a");
  expect(b.directory.choose("n", needs)).toBeUndefined();
  expect(b.directory.choose("m", { ...NEEDS, sessionId: "a~unknown" })).toBeUndefined();
  expect(b.directory.choose("m", { ...needs, excluded: withSession(NONE_EXCLUDED, session.id) })).toBeUndefined();
  b.directory.choose("m", needs)?.hold();
  expect(b.directory.choose("m", needs)).toBeUndefined();
});

test("a server that is silent gets no jobs after 3 s, is gone after 5 s, and its models stay known", async () => {
  const { a, b } = await three();
  a.connect({ id: "w" });
  await rig.run(1000);
  expect(b.directory.choose("m", NEEDS)?.server).toBe("a");
  rig.network.partition(["b", "c"]);
  await rig.run(3300);
  expect(b.presence.peers.get("a")?.status).toBe("suspect");
  expect(b.directory.choose("m", NEEDS)).toBeUndefined();
  expect([...b.directory.servedModels()]).toEqual(["m"]);
  await rig.run(2000);
  expect(b.presence.members.ids()).toEqual(["c"]);
  expect([...b.directory.servedModels()]).toEqual([]);
  expect(b.directory.isKnownModel("m")).toBe(true);
  expect(b.directory.isKnownWorker("w")).toBe(true);
  await rig.run(MODEL_GRACE_MS, 100);
  expect(b.directory.isKnownModel("m")).toBe(false);
  rig.network.heal();
  await rig.run(1200);
  expect(b.directory.choose("m", NEEDS)?.server).toBe("a");
});

test("a server that says goodbye is gone at once", async () => {
  const { a, b } = await three();
  a.connect({ id: "w" });
  await rig.run(100);
  a.close();
  await rig.run(20);
  expect(b.presence.peers.get("a")?.status).toBe("gone");
  expect(b.presence.peers.get("a")?.saidGoodbye).toBe(true);
  expect([...b.directory.servedModels()]).toEqual([]);
});

test("a server that restarts is known by its new run alone, also if its clock was set back", async () => {
  const { a, b } = await three();
  a.connect({ id: "w", models: ["old"] });
  await rig.run(100);
  a.kill();
  const again = rig.start("a", { epoch: "0000" });
  again.connect({ id: "v", models: ["new"] });
  await rig.run(7000);
  expect(b.knownOf("a")).toEqual(["new 1 1 1"]);
  expect(b.directory.serverOf("w")).toBeUndefined();
});

test("while a server's own bus is away, nobody counts as silent", async () => {
  const { a, b } = await three();
  a.connect({ id: "w" });
  await rig.run(100);
  b.bus.disconnect();
  await rig.run(60_000, 100);
  expect(b.presence.members.ids().toSorted()).toEqual(["a", "c"]);
  expect([...b.directory.servedModels()]).toEqual(["m"]);
  b.bus.reconnect();
  await rig.run(1000);
  expect(a.presence.members.ids().toSorted()).toEqual(["b", "c"]);
});

test("a server that drains gets nothing more within 50 ms, while its models stay known", async () => {
  const { a, b } = await three();
  a.connect({ id: "w" });
  await rig.run(100);
  a.presence.drain();
  await rig.run(50);
  expect(b.presence.peers.get("a")?.status).toBe("draining");
  expect(b.directory.choose("m", NEEDS)).toBeUndefined();
  expect(b.directory.isReady("m", NEEDS)).toBe(false);
  expect(b.directory.isKnownModel("m")).toBe(true);
});

test("a server that shares no version of the protocol is shown and not used", async () => {
  const b = rig.start("b");
  const a = rig.start("a", { versions: { gossip: [2, 3], link: [1, 1] } });
  a.connect({ id: "w" });
  await rig.run(2000);
  expect(b.presence.peers.get("a")?.status).toBe("incompatible");
  expect([...b.directory.servedModels()]).toEqual([]);
  expect(b.presence.isSettled).toBe(true);
});

test("a server that starts is not settled until it has met the others and knows what they have", async () => {
  rig.start("a").connect({ id: "w" });
  await rig.run(100);
  const b = rig.start("b");
  expect(b.presence.isSettled).toBe(false);
  await rig.run(1300);
  expect(b.presence.isSettled).toBe(true);
  expect(b.directory.isKnownModel("m")).toBe(true);
});

test("messages of unknown kinds and malformed ones are counted and ignored", async () => {
  const { a, b } = await three();
  const send = (text: string): void => void a.bus.publish("moorage.test.1.gossip", new TextEncoder().encode(text));
  send('{"t":"later","from":"a","epoch":"e"}');
  send("{");
  send('{"t":"delta","from":"a"}');
  await rig.run(10);
  expect(b.presence.ignored).toEqual({ unknown: 1, malformed: 2 });
});

function candidate(model: string): Candidate {
  return {
    caller: ANONYMOUS,
    demand: { model, exact: false, excluded: NONE_EXCLUDED },
  };
}

test("the server of a worker is asked whether it is alive before a legacy agent of its name gets another id", async () => {
  const { a, b } = await three();
  const session = a.connect({ id: "box" });
  await rig.run(50);
  const asked = rig.clock.elapsed();
  b.holderOf("box")?.ping();
  await rig.run(100);
  expect(b.holderOf("box")?.lastHeardAt).toBeGreaterThan(asked);
  // A worker whose connection was lost without its server's knowledge.
  if (session) session.answersPings = false;
  rig.clock.advance(1000);
  const askedAgain = rig.clock.elapsed();
  b.holderOf("box")?.ping();
  await rig.run(6000);
  expect(b.holderOf("box")?.lastHeardAt).toBeLessThan(askedAgain);
  if (session) a.tellToLeave(session);
  await rig.run(50);
  expect(b.holderOf("box")).toBeUndefined();
});

test("a worker that has joined again gets its id at another server, and a stranger does not", async () => {
  const heirs = new Map([["former", "new"]]);
  const heirOf = (owner: string): string => heirs.get(owner) ?? owner;
  const [a, b] = [rig.start("a", { heirOf }), rig.start("b", { heirOf })];
  await rig.run(200);
  const former = a.connect({ id: "w", owner: "former" });
  await rig.run(100);
  rig.owners.gone.add("former");
  expect(b.connect({ id: "w", owner: "stranger" })).toBeUndefined();
  const session = b.connect({ id: "w", owner: "new" });
  await rig.run(2000);
  expect(session && b.sessions.has(session)).toBe(true);
  expect(former && a.sessions.has(former)).toBe(false);
  expect(a.directory.serverOf("w")).toBe("b");
  expect(a.connect({ id: "w", owner: "stranger" })).toBeUndefined();
});
