import { describe, expect, test } from "bun:test";
import { MAX_MESSAGE_BYTES } from "../../../../src/cluster/bus.ts";
import { ClusterCalls } from "../../../../src/cluster/calls.ts";
import { BusPeerStates } from "../../../../src/cluster/state/peer-states.ts";
import { StateAssembly, toParts } from "../../../../src/cluster/state/state-parts.ts";
import { createSubjects } from "../../../../src/cluster/subjects.ts";
import type { PeerText } from "../../../../src/state/cluster-facts.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryNetwork } from "../../../support/memory-bus.ts";
import { turn } from "../../../support/turn.ts";

/** A text that hardly compresses, as JSON. */
function noise(bytes: number): string {
  const values = new Uint8Array(bytes).map(() => Math.floor(Math.random() * 256));
  return JSON.stringify({ noise: Buffer.from(values).toString("base64") });
}

/** Two servers on one network. The clock moves in small steps, so that questions and their answers take their turns. */
function setUp() {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const subjects = createSubjects("test");
  const create = (serverId: string) => {
    const bus = network.join(serverId);
    const calls = new ClusterCalls({ serverId, subjects, bus, clock, log: silentLog });
    return new BusPeerStates({ bus, calls, subjects, serverId, clock, log: silentLog });
  };
  const own = { revision: 1, text: '{"n":1}', written: 0 };
  const [a, b] = [create("a"), create("b")];
  b.offer({
    load: () => ({ pulses: [], firstByte: { p50Ms: null, p95Ms: null }, problems: { critical: 0, warning: 0 } }),
    revision: () => String(own.revision),
    write: () => {
      own.written += 1;
      return own.text;
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await turn();
    }
  };
  return { clock, network, a, b, own, pass };
}

describe("the state of a peer", () => {
  test("is written while somebody follows it, once for all, and only after changes", async () => {
    const { a, own, pass } = setUp();
    await pass(3000);
    expect(own.written).toBe(0);
    const one = a.follow("b");
    const other = a.follow("b");
    await pass(1000);
    expect(one.latest()?.text).toBe('{"n":1}');
    expect(other.latest()).toBe(one.latest() as PeerText); // the lines above show that there is one
    await pass(10_000);
    expect(own.written).toBe(1);
    own.revision += 1;
    own.text = '{"n":2}';
    await pass(1000);
    expect(one.latest()?.text).toBe('{"n":2}');
    expect(own.written).toBe(2);
    one.close();
    one.close();
    await pass(10_000);
    own.revision += 1;
    await pass(1000);
    expect(own.written).toBe(3);
    other.close();
    await pass(6000);
    own.revision += 1;
    await pass(10_000);
    expect(own.written).toBe(3);
  });

  test("is confirmed while the peer answers, and not once it stops", async () => {
    const { clock, network, a, pass } = setUp();
    const peer = a.follow("b");
    await pass(10_000);
    expect(clock.now() - (peer.latest()?.confirmedAt ?? 0)).toBeLessThan(2500);
    network.partition(["a"], ["b"]);
    await pass(10_000);
    expect(clock.now() - (peer.latest()?.confirmedAt ?? 0)).toBeGreaterThan(9000);
    expect(peer.latest()?.text).toBe('{"n":1}');
    network.heal();
    await pass(3000);
    expect(clock.now() - (peer.latest()?.confirmedAt ?? 0)).toBeLessThan(2500);
  });

  test("is waited for, and stays known after it was followed", async () => {
    const { network, a, pass } = setUp();
    const peer = a.follow("b");
    const next = peer.next(2000);
    await pass(500);
    expect((await next)?.text).toBe('{"n":1}');
    peer.close();
    network.partition(["a"], ["b"]);
    await pass(6000);
    const again = a.follow("b");
    const late = again.next(2000);
    await pass(2500);
    expect(await late).toBeUndefined();
    expect(again.latest()?.text).toBe('{"n":1}');
    again.close();
  });

  test("is current at once for a second viewer", async () => {
    const { a, pass } = setUp();
    const peer = a.follow("b");
    await pass(500);
    expect((await a.follow("b").next(2000))?.text).toBe(peer.latest()?.text ?? "");
  });

  test("arrives again after a part of it was lost", async () => {
    const { network, a, own, pass } = setUp();
    own.text = noise(600_000);
    network.weather.loss = 0.4;
    const peer = a.follow("b");
    await pass(20_000);
    network.weather.loss = 0;
    await pass(5000);
    expect(peer.latest()?.text).toBe(own.text);
  });
});

describe("a state on the bus", () => {
  test("is cut into messages that the bus takes, and is put together again", () => {
    for (const text of ['{"a":1}', noise(1000), noise(900_000)]) {
      const parts = toParts(7, text) ?? [];
      for (const part of parts) expect(part.byteLength).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
      const assembly = new StateAssembly();
      expect(parts.map((part) => assembly.add(part)).at(-1)).toEqual({ number: 7, text });
    }
    expect(toParts(1, noise(900_000))?.length).toBeGreaterThan(3);
  });

  test("is dropped if a part is missing, and the next one is read", () => {
    const text = noise(900_000);
    const [first, , ...rest] = toParts(1, text) ?? [];
    const assembly = new StateAssembly();
    for (const part of [first, ...rest]) if (part) expect(assembly.add(part)).toBeUndefined();
    expect((toParts(2, text) ?? []).map((part) => assembly.add(part)).at(-1)?.number).toBe(2);
  });

  test("is rejected if it is garbage, not an object, or too large", () => {
    const assembly = new StateAssembly();
    const [part = new Uint8Array()] = toParts(1, '{"a":1}') ?? [];
    for (const bytes of [new Uint8Array(), new Uint8Array(7), new Uint8Array(100), part.subarray(0, part.length - 2)])
      expect(assembly.add(bytes)).toBeUndefined();
    for (const text of ["[1]", "{", "1", ""]) {
      const [other = new Uint8Array()] = toParts(1, text) ?? [];
      expect(assembly.add(other)).toBeUndefined();
    }
    const [bomb = new Uint8Array()] = toParts(1, `{${"0".repeat(130 * 1024 * 1024)}}`) ?? [];
    expect(assembly.add(bomb)).toBeUndefined();
    expect(assembly.add(part)?.text).toBe('{"a":1}');
  });
});
