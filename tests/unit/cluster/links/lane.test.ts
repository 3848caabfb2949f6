import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Channel } from "../../../../src/cluster/links/channel.ts";
import { LaneHub } from "../../../../src/cluster/links/lane-hub.ts";
import { decodePacket, encodePacket } from "../../../../src/cluster/links/lane-packet.ts";
import type { ServerRun } from "../../../../src/cluster/links/link-auth.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { type MemoryBus, MemoryNetwork, type Weather } from "../../../support/memory-bus.ts";
import { times } from "../../../support/times.ts";

/** One end of a lane, and what has come out of it. */
class End {
  readonly heard: Uint8Array[] = [];
  readonly closes: string[] = [];
  drains = 0;
  channel: Channel | undefined;

  take(channel: Channel) {
    this.channel = channel;
    return {
      onMessage: (message: Uint8Array) => void this.heard.push(Uint8Array.from(message)),
      onDrain: () => {
        this.drains += 1;
      },
      onClosed: (reason: string) => void this.closes.push(reason),
    };
  }
}

interface Server {
  readonly run: ServerRun;
  readonly hub: LaneHub;
  readonly bus: MemoryBus;
}

function start(weather: Weather = {}, random?: () => number) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, weather, random);
  const join = (id: string): Server => {
    const run = { id, epoch: `epoch-of-${id}` };
    const bus = network.join(id);
    return { run, bus, hub: new LaneHub({ self: run, bus, subject: (server) => `lane.${server}`, clock }) };
  };
  const [a, b] = [join("a"), join("b")];
  const [here, there] = [new End(), new End()];
  b.hub.onOpened((_from, channel) => there.take(channel));
  const open = (): void => a.hub.open(b.run, (channel) => here.take(channel));
  return { clock, network, a, b, here, there, open };
}

/** A message that says which it is. */
function message(number: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(Math.max(4, length), number & 0xff);
  bytes.writeUInt32BE(number, 0);
  return bytes;
}

describe("a lane over the bus", () => {
  test("carries messages both ways, in order", () => {
    const { clock, here, there, open } = start();
    open();
    clock.advance(10);
    there.channel?.send(message(1, 10));
    clock.advance(10);
    here.channel?.send(message(2, 10));
    here.channel?.send(message(3, 1_000_000));
    clock.advance(100);
    expect(here.heard).toEqual([Uint8Array.from(message(1, 10))]);
    expect(there.heard).toEqual([Uint8Array.from(message(2, 10)), Uint8Array.from(message(3, 1_000_000))]);
  });

  test("stands once the peer has answered, however many questions and answers are lost", () => {
    const weather = { loss: 1 };
    const { clock, here, there, open } = start(weather);
    open();
    clock.advance(1000);
    expect([here.channel, there.channel]).toEqual([undefined, undefined]);
    weather.loss = 0;
    clock.advance(700);
    expect(here.channel).toBeDefined();
    expect(there.channel).toBeDefined();
  });

  test("is not asked for any more after 3 s", () => {
    const { clock, network, here, open } = start({ loss: 1 });
    open();
    clock.advance(60_000);
    expect(network.sent.messages).toBe(10);
    expect([here.channel, clock.pending]).toEqual([undefined, 0]);
  });

  test("is refused by another run of the server", () => {
    const { clock, a, here, there } = start();
    a.hub.open({ id: "b", epoch: "earlier" }, (channel) => here.take(channel));
    clock.advance(5000);
    expect([here.channel, there.channel]).toEqual([undefined, undefined]);
  });

  test("has at most 8 MiB on their way, and tells when there is room again", () => {
    const { clock, network, here, there, open } = start();
    open();
    clock.advance(50);
    there.channel?.send(message(0, 4));
    clock.advance(50);
    const before = network.sent.bytes;
    network.partition(["a"], ["b"]);
    let result: string | undefined;
    for (let number = 1; number <= 20; number += 1) result = here.channel?.send(message(number, 1024 * 1024));
    expect(result).toBe("queued");
    expect(network.sent.bytes - before).toBeLessThanOrEqual(8 * 1024 * 1024);
    network.heal();
    clock.advance(10_000);
    expect(there.heard.map((bytes) => Buffer.from(bytes).readUInt32BE(0))).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
    expect(here.drains).toBe(1);
  });

  test("keeps at most 32 MiB for a peer that takes nothing, and is lost then", () => {
    const { clock, network, here, open } = start();
    open();
    clock.advance(50);
    network.partition(["a"], ["b"]);
    const results = Array.from({ length: 40 }, (_, number) => here.channel?.send(message(number, 1024 * 1024)));
    expect(results.indexOf("lost")).toBeWithin(30, 33);
  });

  test("outlasts a restart of the broker, in which everything on its way is lost", () => {
    const { clock, a, b, here, there, open } = start();
    open();
    clock.advance(50);
    for (let number = 0; number < 100; number += 1) {
      if (number === 30) for (const { bus } of [a, b]) bus.disconnect("restarted");
      if (number === 60) for (const { bus } of [a, b]) bus.reconnect();
      here.channel?.send(message(number, 1000));
      there.channel?.send(message(number, 1000));
      clock.advance(50);
    }
    clock.advance(5000);
    const numbers = Array.from({ length: 100 }, (_, at) => at);
    for (const end of [here, there])
      expect(end.heard.map((bytes) => Buffer.from(bytes).readUInt32BE(0))).toEqual(numbers);
  });

  test("ends when nothing is acknowledged for 15 s, and leaves no timer", () => {
    const { clock, network, here, there, open } = start();
    open();
    clock.advance(50);
    network.partition(["a"], ["b"]);
    here.channel?.send(message(1, 10));
    clock.advance(14_000);
    expect(here.closes).toEqual([]);
    clock.advance(3000);
    expect(here.closes).toEqual(["the peer acknowledges nothing"]);
    there.channel?.cut();
    expect(clock.pending).toBe(0);
  });

  test("ends for both when one closes it", () => {
    const { clock, here, there, open } = start();
    open();
    clock.advance(50);
    there.channel?.send(message(1, 10));
    clock.advance(50);
    here.channel?.close("enough");
    clock.advance(50);
    expect([here.closes, there.closes]).toEqual([[], ["enough"]]);
    clock.advance(5000);
    expect(clock.pending).toBe(0);
  });

  test("takes no message that never ends", () => {
    const { clock, a, here, there, open } = start();
    const packets: Uint8Array[] = [];
    a.bus.subscribe("lane.a", ({ bytes }) => void packets.push(bytes));
    open();
    clock.advance(50);
    there.channel?.send(message(1, 10));
    clock.advance(50);
    const lane = decodePacket(packets[0] ?? new Uint8Array(0))?.lane ?? 0n;
    // The peer's packets reach this end as if they came from it.
    for (let number = 2; number < 40; number += 1)
      here.channel &&
        there.channel &&
        a.bus.publish(
          "lane.b",
          encodePacket(lane, { kind: "data", number: number - 1, hasMore: true }, Buffer.alloc(128 * 1024)),
        );
    clock.advance(100);
    expect(there.closes).toEqual(["a message that is too large"]);
  });
});

test("whatever the network does, each message arrives once and in order, or the lane ends and what came is the beginning", () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom("here" as const, "there" as const), length: fc.nat(300_000) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(400) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "heal" as const, "down" as const, "up" as const) }),
    },
  );
  const weather = fc.record({
    loss: fc.constantFrom(0, 0.05, 0.3),
    repeats: fc.constantFrom(0, 0.2),
    shuffles: fc.boolean(),
    delayMs: fc.constantFrom<readonly [number, number]>([0, 0], [0, 30], [5, 200]),
  });
  fc.assert(
    fc.property(
      weather,
      fc.array(step, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (sky, steps, chances) => {
        const random = (): number => chances.next().value ?? 0;
        const { clock, network, a, b, here, there, open } = start({ ...sky }, random);
        open();
        clock.advance(3000);
        if (!here.channel || !there.channel) return;
        const sent = { here: [] as Uint8Array[], there: [] as Uint8Array[] };
        for (const each of steps) {
          if (each.do === "wait") clock.advance(each.ms);
          else if (each.do === "cut") network.partition(["a"], ["b"]);
          else if (each.do === "heal") network.heal();
          else if (each.do === "down") a.bus.disconnect("away");
          else if (each.do === "up") a.bus.reconnect();
          else if ("length" in each) {
            const bytes = message(sent[each.do].length, each.length);
            const end = each.do === "here" ? here : there;
            if (end.channel?.send(bytes) !== "lost") sent[each.do].push(Uint8Array.from(bytes));
          }
        }
        network.heal();
        a.bus.reconnect();
        b.bus.reconnect();
        network.weather.loss = 0;
        clock.advance(120_000);
        for (const [from, to, list] of [
          [here, there, sent.here],
          [there, here, sent.there],
        ] as const) {
          const hasEnded = from.closes.length + to.closes.length > 0;
          const expected = hasEnded ? list.slice(0, to.heard.length) : list;
          expect(to.heard.length).toBe(expected.length);
          expect(to.heard.every((bytes, at) => Buffer.compare(bytes, expected[at] ?? Buffer.alloc(0)) === 0)).toBe(
            true,
          );
        }
        for (const end of [here, there]) end.channel?.cut();
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: times(60) },
  );
});

test("a packet that is cut off or garbage is rejected, or belongs to no lane", () => {
  const whole = encodePacket(7n, { kind: "data", number: 1, hasMore: false }, Buffer.from("x"));
  for (let length = 0; length < 14; length += 1) expect(decodePacket(whole.subarray(0, length))).toBeUndefined();
  const { a, b, clock } = start();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      a.bus.publish("lane.b", bytes);
      clock.advance(1);
    }),
    { numRuns: times(300) },
  );
  b.hub.close();
});
