import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { MemoryBucket, type View } from "../../../support/memory-bucket.ts";
import "../../../support/seed.ts";
import { times } from "../../../support/times.ts";

/** A server with its table, and what it was told of other servers' changes. */
class Server {
  readonly table = new RecordTable();
  readonly told: string[] = [];
  /** What the server believes: the records as its consumers have them. */
  readonly believed = new Map<string, string>();
  view: View | undefined;

  constructor() {
    this.table.onChange("", (key, value) => {
      this.told.push(`${key}=${value ?? "-"}`);
      this.#believe(key, value);
    });
  }

  set(key: string, value: string | undefined): void {
    this.#believe(key, value);
    this.table.set(key, value);
  }

  connect(bucket: MemoryBucket): void {
    this.view = bucket.open();
    this.table.attach(this.view);
  }

  disconnect(areWritten = false): void {
    this.table.detach();
    this.view?.break(areWritten);
    this.view = undefined;
  }

  #believe(key: string, value: string | undefined): void {
    if (value === undefined) this.believed.delete(key);
    else this.believed.set(key, value);
  }
}

function sorted(records: Iterable<readonly [string, string]>): Readonly<Record<string, string>> {
  return Object.fromEntries([...records].toSorted());
}

test("what one server changes, all others are told", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [new Server(), new Server()];
  for (const each of [a, b]) each.connect(bucket);
  await bucket.settle();
  a.set("x", "1");
  a.set("y", "2");
  await bucket.settle();
  a.set("x", undefined);
  await bucket.settle();
  expect(b.told).toEqual(["x=1", "y=2", "x=-"]);
  expect(a.told).toEqual([]);
  expect(bucket.records()).toEqual({ y: "2" });
  expect([a.table.pending, b.table.pending]).toEqual([0, 0]);
});

test("a server that starts later has everything before it is told to be ready", async () => {
  const bucket = new MemoryBucket();
  const a = new Server();
  a.connect(bucket);
  a.set("x", "1");
  a.set("gone", "1");
  await bucket.settle();
  a.set("gone", undefined);
  await bucket.settle();
  const late = new Server();
  const seen: unknown[] = [];
  late.table.onReady(() => seen.push(sorted(late.table.entries(""))));
  expect(late.table.hasLoaded).toBe(false);
  late.connect(bucket);
  await bucket.settle();
  expect(seen).toEqual([{ x: "1" }]);
  expect(late.table.hasLoaded).toBe(true);
});

test("changes that were made without a bucket are written when there is one", async () => {
  const bucket = new MemoryBucket();
  const a = new Server();
  a.set("x", "1");
  a.set("x", "2");
  a.set("y", "1");
  a.set("y", undefined);
  expect(a.table.get("x")).toBe("2");
  a.connect(bucket);
  await bucket.settle();
  expect(bucket.records()).toEqual({ x: "2" });
  expect(a.table.pending).toBe(0);
});

test("a record that was removed long ago can be made again", async () => {
  const bucket = new MemoryBucket();
  const a = new Server();
  a.connect(bucket);
  a.set("x", "1");
  await bucket.settle();
  a.set("x", undefined);
  await bucket.settle();
  bucket.forgetRemoved();
  a.set("x", "2");
  await bucket.settle();
  expect(bucket.records()).toEqual({ x: "2" });
  expect(a.told).toEqual([]);
});

describe("a server that was away", () => {
  test("brings back nothing that others have removed meanwhile", async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    a.set("key", "valid");
    await bucket.settle();
    b.disconnect();
    a.set("key", undefined);
    b.set("key", "still valid");
    await bucket.settle();
    b.connect(bucket);
    await bucket.settle();
    expect(bucket.records()).toEqual({});
    expect(b.told).toEqual(["key=valid", "key=-"]);
  });

  test("brings back nothing either when the removal itself was forgotten", async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    a.set("key", "valid");
    a.set("other", "1");
    await bucket.settle();
    b.disconnect();
    a.set("key", undefined);
    a.set("other", undefined);
    await bucket.settle();
    bucket.forgetRemoved();
    b.set("key", "still valid");
    b.connect(bucket);
    await bucket.settle();
    expect(bucket.records()).toEqual({});
    expect(b.told.slice(2).toSorted()).toEqual(["key=-", "other=-"]);
  });

  test("keeps what it has changed where nobody else has", async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    a.set("x", "1");
    await bucket.settle();
    b.disconnect();
    b.set("x", "2");
    b.set("y", "1");
    b.connect(bucket);
    await bucket.settle();
    expect(a.told).toEqual(["x=2", "y=1"]);
    expect(bucket.records()).toEqual({ x: "2", y: "1" });
  });
});

describe("records that a server kept itself", () => {
  function seeded(): Server {
    const server = new Server();
    server.table.seed("x", "1");
    server.believed.set("x", "1");
    return server;
  }

  test("count until a bucket is read", () => {
    expect(seeded().table.get("x")).toBe("1");
    expect(sorted(seeded().table.entries(""))).toEqual({ x: "1" });
  });

  test("are the beginning of a bucket that is new", async () => {
    const bucket = new MemoryBucket();
    const server = seeded();
    server.connect(bucket);
    await bucket.settle();
    expect(bucket.records()).toEqual({ x: "1" });
    expect(server.told).toEqual([]);
  });

  test("are dropped where a bucket knows better", async () => {
    const bucket = new MemoryBucket();
    const a = new Server();
    a.connect(bucket);
    a.set("y", "1");
    await bucket.settle();
    const [b, c] = [seeded(), seeded()];
    b.connect(bucket);
    c.table.seed("y", "old");
    c.connect(bucket);
    await bucket.settle();
    expect(b.told.toSorted()).toEqual(["x=-", "y=1"]);
    expect(c.told.toSorted()).toEqual(["x=-", "y=1"]);
    expect(bucket.records()).toEqual({ y: "1" });
  });

  test("are written to any bucket once they were changed here", async () => {
    const bucket = new MemoryBucket();
    const a = new Server();
    a.connect(bucket);
    a.set("y", "1");
    await bucket.settle();
    const b = seeded();
    b.set("x", "2");
    b.connect(bucket);
    await bucket.settle();
    expect(bucket.records()).toEqual({ x: "2", y: "1" });
  });
});

test("of two first values of one record one wins, and both servers have it", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [new Server(), new Server()];
  for (const each of [a, b]) each.connect(bucket);
  await bucket.settle();
  a.set("secret", "of a");
  b.set("secret", "of b");
  expect(a.table.settled("secret")).toBeUndefined();
  await bucket.settle();
  const winner = bucket.records()["secret"];
  expect([a, b].map(({ table }) => table.settled("secret"))).toEqual([winner, winner]);
  expect([...a.told, ...b.told]).toEqual([`secret=${winner}`]);
});

test("a write that failed is repeated, whether or not it was made", async () => {
  for (const areWritten of [false, true]) {
    const bucket = new MemoryBucket();
    const a = new Server();
    a.connect(bucket);
    await bucket.settle();
    a.set("x", "1");
    a.disconnect(areWritten);
    a.connect(bucket);
    await bucket.settle();
    a.table.flush();
    await bucket.settle();
    expect(bucket.records()).toEqual({ x: "1" });
    expect(a.told).toEqual([]);
    expect(a.table.pending).toBe(0);
  }
});

describe("a bucket that was lost, with another in its place", () => {
  test("gets what the servers knew, and all of them go on with the same records", async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    await bucket.settle();
    for (const value of ["1", "2", "3"]) a.set("x", value);
    a.set("gone", "1");
    await bucket.settle();
    a.set("gone", undefined);
    await bucket.settle();
    for (const each of [a, b]) each.disconnect();
    const next = new MemoryBucket("second");
    a.connect(next);
    await next.settle();
    a.set("y", "1");
    await next.settle();
    a.set("y", "2");
    b.connect(next);
    await next.settle();
    b.set("x", "4");
    await next.settle();
    expect(next.records()).toEqual({ x: "4", y: "2" });
    for (const { table, believed } of [a, b]) {
      expect(sorted(table.entries(""))).toEqual(next.records());
      expect(sorted(believed)).toEqual(next.records());
      expect(table.pending).toBe(0);
    }
    expect(b.told).not.toContain("x=-");
  });

  test("gets it too if the first attempt to read it was cut off", async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    await bucket.settle();
    a.set("x", "1");
    b.set("y", "1");
    await bucket.settle();
    for (const each of [a, b]) each.disconnect();
    const next = new MemoryBucket("second");
    b.connect(next);
    await next.settle();
    a.connect(next);
    next.step();
    a.disconnect();
    a.connect(next);
    await next.settle();
    for (const { table } of [a, b]) expect(sorted(table.entries(""))).toEqual({ x: "1", y: "1" });
    expect(next.records()).toEqual({ x: "1", y: "1" });
  });

  test("takes no notice of writes that were on their way to the lost one", async () => {
    const bucket = new MemoryBucket();
    const a = new Server();
    a.connect(bucket);
    await bucket.settle();
    a.set("x", "1");
    const lost = a.view;
    a.table.detach();
    const next = new MemoryBucket("second");
    a.connect(next);
    lost?.work(() => 0.9);
    await next.settle();
    a.table.flush();
    await next.settle();
    expect(next.records()).toEqual({ x: "1" });
    expect(a.table.pending).toBe(0);
  });
});

test("two servers that join records differently do not rewrite one for ever", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [new Server(), new Server()];
  a.table.mergeBy("x", (_, own, other) => `a${Math.max(numberIn(own), numberIn(other))}`);
  b.table.mergeBy("x", (_, own, other) => `b${Math.max(numberIn(own), numberIn(other))}`);
  for (const each of [a, b]) each.connect(bucket);
  await bucket.settle();
  a.set("x", "a1");
  await bucket.settle();
  a.set("x", "a2");
  await bucket.settle();
  expect(bucket.lastRevision).toBeLessThan(100);
  expect([a, b].map(({ table }) => table.pending)).toEqual([0, 0]);
  for (const { believed } of [a, b]) expect(numberIn(believed.get("x") ?? "")).toBe(2);
});

function numberIn(text: string): number {
  return Number(text.slice(1));
}

test("a server that is removing a record is told of two changes of another, although the second is the same as its own", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [new Server(), new Server()];
  a.connect(bucket);
  await bucket.settle();
  b.set("x", "2");
  b.set("x", undefined);
  b.connect(bucket);
  a.set("x", "1");
  bucket.step();
  await Promise.resolve();
  a.set("x", undefined);
  // Both changes reach `b` before the answer to its own.
  await bucket.settle();
  expect(b.told).toEqual(["x=1", "x=-"]);
  expect(sorted(b.believed)).toEqual(bucket.records());
});

test("a bucket that has lost its last changes gets them back, and all servers go on with the same records", async () => {
  const bucket = new MemoryBucket();
  const [a, b, late] = [new Server(), new Server(), new Server()];
  for (const each of [a, b, late]) each.connect(bucket);
  for (const key of ["changed", "removed", "kept"]) a.set(key, "1");
  await bucket.settle();
  const restored = bucket.copy();
  late.disconnect();
  a.set("changed", "2");
  a.set("removed", undefined);
  b.set("new", "1");
  await bucket.settle();
  for (const each of [a, b]) each.disconnect();
  b.set("kept", "2");
  for (const each of [late, a, b]) each.connect(restored);
  await restored.settle();
  expect(restored.records()).toEqual({ changed: "2", kept: "2", new: "1" });
  a.set("new", "2");
  await restored.settle();
  for (const { table, believed } of [a, b, late]) {
    expect(sorted(table.entries(""))).toEqual({ changed: "2", kept: "2", new: "2" });
    expect(sorted(believed)).toEqual(restored.records());
    expect(table.pending).toBe(0);
  }
  expect(a.told).not.toContain("changed=1");
});

test("changes are brought back also if others have been written in their place, or the first reading was cut off", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [new Server(), new Server()];
  for (const each of [a, b]) each.connect(bucket);
  a.set("x", "1");
  a.set("y", "1");
  await bucket.settle();
  const restored = bucket.copy();
  b.disconnect();
  a.set("x", "2");
  await bucket.settle();
  a.disconnect();
  b.connect(restored);
  await restored.settle();
  for (const value of ["2", "3", "4"]) {
    b.set("y", value);
    await restored.settle();
  }
  a.connect(restored);
  restored.step();
  a.disconnect();
  a.connect(restored);
  await restored.settle();
  expect(restored.records()).toEqual({ x: "2", y: "4" });
  for (const { believed } of [a, b]) expect(sorted(believed)).toEqual({ x: "2", y: "4" });
});

describe("a reading that has not found a record which the watch has told", () => {
  /** Returns a server to which the watch has not told the last change yet, and a copy of the bucket that is behind answers. */
  async function startBehind() {
    const bucket = new MemoryBucket();
    const [a, b] = [new Server(), new Server()];
    for (const each of [a, b]) each.connect(bucket);
    a.set("key", "1");
    await bucket.settle();
    const { view } = b;
    if (!view) throw new Error("it is connected");
    view.arrive = () => {};
    view.read = () => Promise.resolve(undefined);
    a.set("key", "2");
    await bucket.settle();
    return { bucket, b, view };
  }

  async function readAgain(server: Server, view: View, bucket: MemoryBucket): Promise<void> {
    await view.ended;
    server.disconnect();
    server.connect(bucket);
    await bucket.settle();
  }

  test("does not remove it after a write for somebody who waits: all records are read again", async () => {
    const { bucket, b, view } = await startBehind();
    const written = b.table.write("key", "3");
    await bucket.settle();
    expect(await written).toBe("away");
    expect([b.table.get("key"), b.told]).toEqual(["1", ["key=1"]]);
    await readAgain(b, view, bucket);
    expect([b.table.get("key"), b.told]).toEqual(["2", ["key=1", "key=2"]]);
  });

  test("does not remove it after any other write either", async () => {
    const { bucket, b, view } = await startBehind();
    b.set("key", "3");
    await bucket.settle();
    expect(b.told).toEqual(["key=1"]);
    await readAgain(b, view, bucket);
    expect([b.table.get("key"), b.table.pending, b.told]).toEqual(["2", 0, ["key=1", "key=2"]]);
  });
});

/** One step of a random course of events. */
interface Step {
  readonly kind: "set" | "connect" | "disconnect" | "lose" | "work" | "forget" | "back up" | "restore";
  readonly server: number;
  readonly key: string;
  readonly value: string | undefined;
}

const SERVERS = 4;
const servers = fc.nat(SERVERS - 1);
const keys = fc.constantFrom("a", "b", "c");
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...(["set", "set", "connect", "disconnect", "lose", "forget", "back up", "restore"] as const),
      ...Array(6).fill("work" as const),
    ),
    server: servers,
    key: keys,
    value: fc.oneof(fc.constant(undefined), fc.string({ maxLength: 1 })),
  }),
  { maxLength: 120, size: "max" },
);

test("after any changes, disconnections and delays, all servers believe what the bucket has", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (plan, numbers) => {
        const random = (): number => numbers.next().value ?? 0;
        let bucket = new MemoryBucket();
        let backup = bucket.copy();
        const all = Array.from({ length: SERVERS }, () => new Server());
        for (const step of plan) {
          if (step.kind === "work") bucket.step(random);
          else if (step.kind === "back up") backup = bucket.copy();
          else if (step.kind === "restore") {
            for (const server of all) server.disconnect();
            bucket = backup.copy();
          } else {
            const server = all[step.server];
            if (step.kind === "set") server?.set(step.key, step.value);
            else if (step.kind === "connect" && !server?.view) server?.connect(bucket);
            else if (step.kind !== "connect") server?.disconnect(step.kind === "lose");
          }
          await Promise.resolve();
        }
        for (const server of all) if (!server.view) server.connect(bucket);
        for (let round = 0; round < 3; round += 1) {
          await bucket.settle(random);
          for (const { table } of all) table.flush();
        }
        await bucket.settle(random);
        for (const { table, believed } of all) {
          expect(sorted(table.entries(""))).toEqual(bucket.records());
          expect(sorted(believed)).toEqual(bucket.records());
          expect(table.pending).toBe(0);
        }
      },
    ),
    { numRuns: times(3000) },
  );
});
