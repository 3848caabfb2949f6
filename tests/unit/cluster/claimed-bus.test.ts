import { expect, test } from "bun:test";
import { ClaimedBus } from "../../../src/cluster/claimed-bus.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryNetwork, type Weather } from "../../support/memory-bus.ts";
import { turn } from "../../support/turn.ts";

const SUBJECT = "moorage.moorage.1.id.eu-1";

function createRig(weather: Weather = {}) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, weather);
  const logged: string[] = [];
  const line = (event: string): void => void logged.push(event);
  const log = { debug: line, info: line, warn: line, error: line, with: () => log };
  let joined = 0;
  /** Starts a server with the id; `epoch` orders the servers. */
  const join = (epoch: string, isUp = true) => {
    joined += 1;
    const below = network.join(`process ${joined}`);
    if (!isUp) below.disconnect();
    const bus = new ClaimedBus({ bus: below, subject: SUBJECT, epoch, host: `host-${epoch}`, clock, log });
    return { below, bus };
  };
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 10) {
      await turn();
      clock.advance(10);
    }
    await turn();
  };
  return { network, join, pass, logged };
}

test("a server that is alone has its id at once", async () => {
  const { join, pass, logged } = createRig();
  const { bus } = join("1");
  expect(bus.state).toEqual({ kind: "down", reason: "not joined yet" });
  await pass(0);
  expect(bus.state).toEqual({ kind: "up" });
  expect(logged).toEqual(["cluster.joined"]);
});

test("a newcomer does not get the id of a running server, and is told where that server is", async () => {
  const { join, pass, logged } = createRig({ delayMs: [1, 20] });
  // The clock of the running server is ahead: what counts is who has the id.
  const first = join("2");
  await pass(600);
  const second = join("1");
  await pass(600);
  expect(first.bus.state.kind).toBe("up");
  expect(first.bus.holder).toBeUndefined();
  expect(second.bus.holder).toBe("host-2");
  expect(second.bus.state).toEqual({ kind: "down", reason: "another server, on host-2, has the same SERVER_ID" });
  expect(logged).toEqual(["cluster.joined", "cluster.id_taken"]);
});

test("of servers that start at the same time, exactly one has the id", async () => {
  for (let round = 0; round < 100; round += 1) {
    const { join, pass } = createRig({ delayMs: [1, 100] });
    const all = ["3", "1", "2"].map((epoch) => join(epoch, false));
    for (const { below } of all) below.reconnect();
    await pass(2000);
    expect(all.filter(({ bus }) => bus.state.kind === "up")).toHaveLength(1);
    expect(all.filter(({ bus }) => bus.holder !== undefined)).toHaveLength(2);
  }
});

test("the id is free again once its server has gone, and a server that waits for it says so once", async () => {
  const { join, pass, logged } = createRig();
  const first = join("1");
  await pass(10);
  const second = join("2");
  await pass(30_000);
  expect(second.bus.state.kind).toBe("down");
  expect(logged.filter((event) => event === "cluster.id_taken")).toHaveLength(1);
  await first.bus.close();
  await pass(6000);
  expect(second.bus.state.kind).toBe("up");
  expect(second.bus.holder).toBeUndefined();
});

test("a server that does not answer, because it is frozen, does not keep the id for itself", async () => {
  const { join, pass, network } = createRig();
  network.join("frozen").subscribe(SUBJECT, () => {});
  const { bus } = join("1");
  await pass(600);
  expect(bus.state.kind).toBe("up");
});

test("two servers that both had the id while they did not hear each other end with one of them", async () => {
  const { join, pass, network } = createRig();
  const first = join("1");
  network.partition([first.below.name], ["process 2"]);
  const second = join("2");
  await pass(600);
  expect([first.bus.state.kind, second.bus.state.kind]).toEqual(["up", "up"]);
  network.heal();
  second.below.disconnect();
  second.below.reconnect();
  await pass(600);
  expect([first.bus.state.kind, second.bus.state.kind]).toEqual(["up", "down"]);
});

test("a server that comes back after a cut has its id at once", async () => {
  const { join, pass } = createRig({ delayMs: [50, 50] });
  const { bus, below } = join("1");
  await pass(600);
  below.disconnect();
  expect(bus.state.kind).toBe("down");
  below.reconnect();
  expect(bus.state.kind).toBe("up");
});

test("a server without its id sends nothing and hears nothing", async () => {
  const { join, pass, network } = createRig();
  join("1");
  await pass(600);
  const { bus } = join("2");
  const heard: string[] = [];
  bus.subscribe("s", () => heard.push("s"));
  await pass(600);
  const witness = network.join("witness");
  witness.subscribe("s", () => heard.push("witness"));
  expect(bus.publish("s", new Uint8Array(1))).toBe("down");
  expect(await bus.request("s", new Uint8Array(1), 100)).toEqual({ kind: "down" });
  expect(await witness.request("s", new Uint8Array(1), 100)).toEqual({ kind: "nobody" });
  await pass(100);
  expect(heard).toEqual([]);
});

test("a server that joins later has the subscriptions that it made before", async () => {
  const { join, pass, network } = createRig();
  const { bus, below } = join("1", false);
  const heard: string[] = [];
  const end = bus.subscribe("s", () => heard.push("s"));
  const states: string[] = [];
  bus.onState(({ kind }) => states.push(kind));
  below.reconnect();
  await pass(600);
  const other = network.join("other");
  other.publish("s", new Uint8Array(1));
  await pass(10);
  end();
  other.publish("s", new Uint8Array(1));
  await pass(10);
  expect(heard).toEqual(["s"]);
  expect(states).toEqual(["up"]);
});

test("a claim that cannot be read is ignored", async () => {
  const { join, pass, network } = createRig();
  const { bus } = join("1");
  await pass(600);
  const stranger = network.join("stranger");
  for (const text of ["", "{}", '{"epoch":1,"made":true,"host":"x"}', "null"])
    stranger.publish(SUBJECT, Buffer.from(text));
  await pass(600);
  expect(bus.state.kind).toBe("up");
});
