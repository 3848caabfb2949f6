import { describe, expect, test } from "bun:test";
import type { CallRecords } from "../../../src/calls/call-records.ts";
import { CallTrail } from "../../../src/calls/call-trail.ts";
import { MemoryCalls } from "../../../src/calls/memory-calls.ts";
import type { PastCall } from "../../../src/calls/past-call.ts";
import type { LogFields } from "../../../src/system/deps.ts";
import { KeyMask } from "../../../src/system/key-mask.ts";
import { endedCall } from "../../support/ended-call.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { NOBODY } from "../../support/nobody.ts";

/** Records that can fail, like those on a full disk. */
class Disk extends MemoryCalls {
  isFull = false;
  readonly writes: number[] = [];

  override add(calls: readonly PastCall[]): boolean {
    if (this.isFull) return false;
    this.writes.push(calls.length);
    return super.add(calls);
  }
}

function start(kept = 1000, records = new Disk()) {
  const clock = new FakeClock();
  const warnings: (readonly [string, LogFields | undefined])[] = [];
  const log = { warn: (event: string, fields?: LogFields) => void warnings.push([event, fields]) };
  const mask = new KeyMask();
  mask.setKeys(["a-configured-key-0123456789"]);
  const trail = new CallTrail({ clock, log, records, mask, kept, flushMs: 1000 });
  return { clock, warnings, records, trail };
}

/** Reads calls while the clock turns. */
async function read({ clock, trail }: ReturnType<typeof start>, limit = 1000): Promise<readonly PastCall[]> {
  let found: readonly PastCall[] | undefined;
  void trail.reader.read({}, undefined, limit).then((calls) => {
    found = calls;
  });
  while (!found) {
    await Promise.resolve();
    clock.advance(0);
  }
  return found;
}

function heldBy(records: CallRecords): number[] {
  const ids: number[] = [];
  for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
    const { calls, oldest } = records.look({}, before, 100_000);
    ids.push(...calls.map(({ id }) => id));
    before = oldest?.id;
  }
  return ids;
}

test("calls are found at once, and written a moment later in slices", async () => {
  const rig = start();
  for (let each = 0; each < 250; each += 1) rig.trail.add(endedCall());
  expect(rig.records.writes).toEqual([]);
  expect((await read(rig)).map(({ id }) => id)).toEqual(Array.from({ length: 250 }, (_, at) => 250 - at));
  rig.clock.advance(1000);
  expect(rig.records.writes).toEqual([100, 100, 50]);
  expect((await read(rig, 3)).map(({ id }) => id)).toEqual([250, 249, 248]);
  expect(rig.clock.pending).toBe(0);
});

test("many calls at once are written without a wait for the end of the interval", () => {
  const { clock, records, trail } = start();
  for (let each = 0; each < 500; each += 1) trail.add(endedCall());
  clock.advance(0);
  expect(records.writes).toEqual([100, 100, 100, 100, 100]);
});

test("ids go on where an earlier run has ended, and its calls are removed beyond the bounds of this one", () => {
  const records = new Disk();
  const before = start(1000, records);
  for (let each = 0; each < 700; each += 1) before.trail.add(endedCall());
  before.trail.close();
  const after = start(100, records);
  after.clock.advance(1000);
  expect(heldBy(records)).toHaveLength(90);
  after.trail.add(endedCall());
  after.trail.close();
  expect(heldBy(records)[0]).toBe(701);
});

test("with 0, what an earlier run has kept is removed, and nothing is added", () => {
  const records = new Disk();
  const before = start(1000, records);
  for (let each = 0; each < 700; each += 1) before.trail.add(endedCall());
  before.trail.close();
  const off = start(0, records);
  off.trail.add(endedCall());
  off.clock.advance(1000);
  expect(heldBy(records)).toEqual([]);
});

test("a stranger whose calls are refused pushes out no calls of others", () => {
  const { clock, records, trail } = start(100);
  for (let each = 0; each < 50; each += 1) trail.add(endedCall());
  for (let each = 0; each < 3000; each += 1) trail.add(endedCall({ outcome: "refused" }));
  clock.advance(1000);
  const held = heldBy(records);
  expect(held.filter((id) => id <= 50)).toHaveLength(50);
  expect(held).toHaveLength(60);
  expect(held[0]).toBe(3050);
});

test("calls that cannot be written wait for the disk, and the log says how many of them were lost", () => {
  const { clock, records, trail, warnings } = start(100_000);
  records.isFull = true;
  for (let each = 0; each < 5200; each += 1) trail.add(endedCall());
  clock.advance(5000);
  expect(records.writes).toEqual([]);
  records.isFull = false;
  clock.advance(1000);
  expect(heldBy(records)).toHaveLength(5000);
  expect(heldBy(records).at(-1)).toBe(201);
  expect(warnings).toEqual([["calls.lost", { calls: 200 }]]);
});

test("after the end, what is added is written immediately", () => {
  const { records, trail, clock } = start();
  trail.close();
  trail.add(endedCall());
  expect(records.writes).toEqual([1]);
  expect(clock.pending).toBe(0);
});

describe("what clients and relays have chosen", () => {
  const kept = async (more: Parameters<typeof endedCall>[0]): Promise<PastCall | undefined> => {
    const rig = start();
    rig.trail.add(endedCall(more));
    return (await read(rig))[0];
  };

  test("is cut and cleaned", async () => {
    const call = await kept({
      relayId: `\u001b[31m${"r".repeat(5000)}`,
      name: `a\u202eb\n${"x".repeat(5000)}`,
      called: { caller: "b\u0000ob" },
    });
    expect(call?.relay).toMatch(/^\[31mr+$/);
    expect(call?.relay).toHaveLength(256);
    expect(call?.name).toMatch(/^abx+$/);
    expect(call?.name).toHaveLength(256);
    expect(call?.relayCaller).toBe("bob");
  });

  test("loses keys that were pasted into it", async () => {
    const made = "mk_0123456789ab_AbCdEfGhIjKlMnOpQrStUvWxYz012345_abcdef";
    const call = await kept({
      name: `tool ${made}`,
      called: { arguments: JSON.stringify({ key: made, other: "a-configured-key-0123456789" }) },
    });
    expect(call?.name).toBe("tool mk_0123…");
    expect(call?.arguments).toBe('{"key":"mk_0123…","other":"[key]"}');
  });

  test("says nothing about a caller that the server knows", async () => {
    const call = await kept({
      caller: { ...NOBODY, name: "key:ann", keyId: "0123456789ab", client: "Claude", tenant: "lab" },
      called: { caller: "admin-key:1" },
    });
    expect(call).toMatchObject({ caller: "key:ann", key: "0123456789ab", client: "Claude", tenant: "lab" });
    expect(call?.relayCaller).toBeUndefined();
  });
});
