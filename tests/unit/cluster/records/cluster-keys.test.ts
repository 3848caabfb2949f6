import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../../src/auth/keys.ts";
import { ClusterKeys, type RecordReach } from "../../../../src/cluster/records/cluster-keys.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { Fault } from "../../../../src/errors.ts";
import { KeyBook } from "../../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../../src/keys/key-entry.ts";
import type { KeyEvent } from "../../../../src/keys/key-event.ts";
import { createMemoryRecords, type KeyRecords } from "../../../../src/keys/key-records.ts";
import type { KeySpec } from "../../../../src/keys/key-spec.ts";
import { KeyWriter } from "../../../../src/keys/key-writer.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket } from "../../../support/memory-bucket.ts";

const BY = { by: "admin-key:1" };
const HOUR = 3_600_000;
const SPEC: KeySpec = { kind: "client", terms: { name: "ci", limits: {} } };

interface Server {
  readonly clock: FakeClock;
  readonly table: RecordTable;
  readonly keys: ClusterKeys;
  readonly book: KeyBook;
  readonly writer: KeyWriter;
  readonly events: KeyEvent[];
  readonly reach: { -readonly [K in keyof RecordReach]: RecordReach[K] };
}

function start(bucket?: MemoryBucket, local?: KeyRecords, clock = new FakeClock()): Server {
  const table = new RecordTable();
  const reach = { hasRecords: bucket ? true : undefined, isReached: bucket !== undefined, confirmedAt: undefined };
  const keys = new ClusterKeys({ table, local, staleMs: HOUR, reach, clock, log: silentLog });
  const book = new KeyBook({ records: keys.records, clock, maxRequests: 9, standing: () => keys.standing() });
  keys.watch({
    saved: (entry) => book.accept(entry),
    unreadable: (id, revocation) => book.acceptUnreadable(id, revocation),
    removed: (id) => book.drop(id),
    used: (id, at) => book.noteUse(id, at),
  });
  if (bucket) table.attach(bucket.open());
  const events: KeyEvent[] = [];
  book.onChange((event) => events.push(event));
  return { clock, table, keys, book, writer: new KeyWriter({ book, shared: keys, clock }), events, reach };
}

async function pair(): Promise<{ readonly bucket: MemoryBucket; readonly a: Server; readonly b: Server }> {
  const bucket = new MemoryBucket();
  const [a, b] = [start(bucket), start(bucket)];
  await bucket.settle();
  return { bucket, a, b };
}

/** Waits for a change while everything happens at the bucket. */
async function done<T>(bucket: MemoryBucket, change: Promise<T>): Promise<T> {
  await bucket.settle();
  return change;
}

const accepts = ({ book }: Server, text: string): boolean => book.sources.api.find(sha256(text)) !== undefined;
const codeFor = ({ book }: Server, text: string) => book.sources.api.explain?.(text, sha256(text))?.code;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Fault) return error.code;
  throw new Error(`no fault: ${error}`);
}

describe("a key of a cluster", () => {
  test("is known to all servers, and to those that start later", async () => {
    const { bucket, a, b } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    expect([accepts(a, text), accepts(b, text)]).toEqual([true, true]);
    const late = start(bucket);
    await bucket.settle();
    expect(late.book.get(entry.id)).toEqual(entry);
    expect(b.events.map(({ kind }) => kind)).toEqual(["created"]);
  });

  test("that is revoked at one server ends at each of them", async () => {
    const { bucket, a, b } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    await done(bucket, b.writer.revoke(entry.id, BY));
    for (const server of [a, b]) {
      expect(accepts(server, text)).toBe(false);
      expect(codeFor(server, text)).toBe("key_revoked");
      expect(server.events.at(-1)?.kind).toBe("revoked");
    }
  });

  test("leaves nothing in the bucket from which it could be used, nor when it was used", async () => {
    const { bucket, a } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, { ...BY, idempotencyKey: "once" }));
    const record = a.book.sources.api.find(sha256(text));
    if (record) a.book.sources.api.used?.(record);
    const next = await done(bucket, a.writer.rotate(entry.id, HOUR, BY));
    const kept = JSON.stringify(bucket.records());
    for (const shown of [text, next.text]) expect(kept).not.toContain(shown.split("_")[2] ?? "");
    expect(kept).toContain(sha256(text));
    expect(kept).not.toContain("lastUsedAt");
    expect(a.book.get(entry.id)?.lastUsedAt).toBe(a.clock.now());
  });

  test("that is taken out of the bucket by hand is not accepted any more", async () => {
    const { bucket, a } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    const revision = bucket.get(`key.${entry.id}`)?.revision ?? 0;
    bucket.write(`key.${entry.id}`, undefined, revision);
    await bucket.settle();
    expect(accepts(a, text)).toBe(false);
    expect(a.events.at(-1)?.kind).toBe("removed");
  });
});

describe("a server that cannot reach NATS", () => {
  test("accepts the keys that it knows for KEYS_STALE_MAX, then refuses them, and changes none", async () => {
    const { bucket, a } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    a.reach.confirmedAt = a.clock.elapsed();
    a.reach.isReached = false;
    a.table.detach();
    expect(await codeOf(a.writer.revoke(entry.id, BY))).toBe("keys_unavailable");
    expect(await codeOf(a.writer.create(SPEC, BY))).toBe("keys_unavailable");
    a.clock.advance(HOUR - 1);
    expect(accepts(a, text)).toBe(true);
    a.clock.advance(1);
    expect([accepts(a, text), codeFor(a, text)]).toEqual([false, "key_not_confirmed"]);
    expect(a.book.sources.api.hasOwner(`made:${entry.id}`)).toBe(true);
    a.reach.isReached = true;
    a.table.attach(bucket.open());
    await bucket.settle();
    expect([accepts(a, text), codeFor(a, text)]).toEqual([true, undefined]);
  });

  test("tells a key that it does not know from one that nobody can have created", async () => {
    const { bucket, a, b } = await pair();
    const { text } = await done(bucket, a.writer.create(SPEC, BY));
    const alone = start();
    expect(codeFor(alone, text)).toBe("key_not_confirmed");
    expect(codeFor(alone, `${text}x`)).toBeUndefined();
    const other = await done(bucket, b.writer.create(SPEC, BY));
    expect(codeFor(a, other.text.slice(0, -1))).toBe("invalid_api_key");
  });

  test("keeps its doors shut until it knows which keys there are", async () => {
    const bucket = new MemoryBucket();
    const alone = start();
    let read = 0;
    alone.keys.onRead(() => {
      read += 1;
    });
    const { api, client, admin } = alone.book.sources;
    expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([false, false, false]);
    expect(alone.keys.standing()).toMatchObject({ kind: "away", isUnread: true });
    alone.reach.isReached = true;
    alone.table.attach(bucket.open());
    await bucket.settle();
    expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([true, true, true]);
    expect(read).toBe(1);
  });

  test("uses its own copy, which it brings to the bucket later", async () => {
    const local = createMemoryRecords();
    const single = new KeyBook({ records: local, clock: new FakeClock(), maxRequests: 9 });
    const { entry, text } = single.create(SPEC, BY);
    const alone = start(undefined, local);
    expect(accepts(alone, text)).toBe(true);
    const bucket = new MemoryBucket();
    const other = start(bucket);
    await bucket.settle();
    const theirs = await done(bucket, other.writer.create(SPEC, BY));
    alone.reach.isReached = true;
    alone.table.attach(bucket.open());
    await bucket.settle();
    expect(accepts(other, text)).toBe(true);
    expect(accepts(alone, theirs.text)).toBe(true);
    expect(
      local
        .load()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual([entry.id, theirs.entry.id].toSorted());
  });
});

describe("a server that was away", () => {
  test("brings no key back that was revoked meanwhile, whether the bucket is the same or another one", async () => {
    for (const isLost of [false, true]) {
      let bucket = new MemoryBucket();
      const local = createMemoryRecords();
      const [a, b] = [start(bucket, local), start(bucket)];
      await bucket.settle();
      const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
      a.table.detach();
      await done(bucket, b.writer.revoke(entry.id, BY));
      if (isLost) {
        b.table.detach();
        bucket = new MemoryBucket("second");
      }
      // It comes back first, and knows no better.
      const again = start(bucket, local);
      await bucket.settle();
      if (isLost) b.table.attach(bucket.open());
      await bucket.settle();
      for (const server of [again, b]) expect(codeFor(server, text)).toBe("key_revoked");
      expect(local.load()[0]?.revokedAt).toBeNumber();
      expect(bucket.records()[`key.${entry.id}`]).toContain("revokedAt");
    }
  });

  test("brings back no secret that was replaced meanwhile, and no use of a token", async () => {
    const first = new MemoryBucket();
    const local = createMemoryRecords();
    const [a, b] = [start(first, local), start(first)];
    await first.settle();
    const { entry, text } = await done(first, a.writer.create(SPEC, BY));
    const token = await done(first, a.writer.create({ kind: "join", terms: { name: "join", limits: {} } }, BY));
    a.table.detach();
    const next = await done(first, b.writer.rotate(entry.id, 0, BY));
    await done(
      first,
      b.writer.amend(token.entry.id, () => ({ uses: 2 })),
    );
    b.table.detach();
    const second = new MemoryBucket("second");
    const again = start(second, local);
    await second.settle();
    // More changes than the other server has seen make its entry the older one.
    for (const weight of [2, 3, 4]) {
      await done(second, again.writer.update(entry.id, { terms: { weight }, limits: {} }));
      await done(
        second,
        again.writer.amend(token.entry.id, () => ({ uses: 1 })),
      );
    }
    b.table.attach(second.open());
    await second.settle();
    for (const server of [again, b]) {
      expect([accepts(server, text), accepts(server, next.text)]).toEqual([false, true]);
      expect(server.book.get(entry.id)?.weight).toBe(4);
      expect(server.book.get(token.entry.id)?.uses).toBe(2);
    }
  });
});

describe("without JetStream", () => {
  test("a server has the keys of its own DATA_DIR, which reach the others when there is JetStream", async () => {
    const local = createMemoryRecords();
    const a = start(undefined, local);
    a.reach.hasRecords = false;
    expect([a.keys.standing().kind, a.keys.areKept]).toEqual(["own", true]);
    const { text } = await a.writer.create(SPEC, BY);
    expect([accepts(a, text), local.load().length]).toEqual([true, 1]);
    const bucket = new MemoryBucket();
    a.reach.hasRecords = true;
    a.reach.isReached = true;
    a.table.attach(bucket.open());
    const b = start(bucket);
    await bucket.settle();
    expect(accepts(b, text)).toBe(true);
  });

  test("a server without DATA_DIR keeps none", () => {
    const a = start();
    expect(a.keys.areKept).toBe(true);
    a.reach.hasRecords = false;
    expect(a.keys.areKept).toBe(false);
  });
});

test("an entry that other servers could not read is not written, so that none of them shuts its doors", async () => {
  const { bucket, a, b } = await pair();
  const { entry } = await done(bucket, a.writer.create(SPEC, BY));
  const before = bucket.get(`key.${entry.id}`);
  const tooLong = { terms: { name: "x".repeat(129) }, limits: {} };
  const failure = a.writer.update(entry.id, tooLong).catch((error: unknown) => error);
  expect(await done(bucket, failure)).toBeInstanceOf(Error);
  expect(bucket.get(`key.${entry.id}`)).toEqual(before);
  expect([a.book.get(entry.id)?.name, b.book.get(entry.id)?.name]).toEqual(["ci", "ci"]);
});

describe("a record that somebody else wrote", () => {
  test("counts for nothing unless it is the entry of a key, within the bounds of one", async () => {
    const { bucket, a } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    const wrong: readonly unknown[] = [
      "",
      null,
      [],
      { ...entry, id: "000000000000" },
      { ...entry, source: "file" },
      { ...entry, kind: "root" },
      { ...entry, name: "x".repeat(129) },
      { ...entry, name: "a\u001b[31m" },
      { ...entry, weight: 1e9 },
      { ...entry, models: ["*".repeat(5000)] },
      { ...entry, limits: { timezone: "Mars/Olympus" } },
      { ...entry, limits: { parallel: -1 } },
      { ...entry, createdAt: 1e300 },
      { ...entry, createdBy: "<script>\u0000" },
      { ...entry, expiresAt: -5 },
      { ...entry, revision: 0.5 },
      { ...entry, secret: { ...entry.secret, hash: "00" } },
      { ...entry, secret: { ...entry.secret, hint: text } },
      { ...entry, former: Array.from({ length: 9 }, () => ({ ...entry.secret, validUntil: 1 })) },
      { ...entry, tenants: ["a"] },
      { ...entry, workerId: "../etc" },
    ];
    const heard = a.events.length;
    const own = `key.${entry.id}`;
    for (const [at, value] of wrong.entries()) {
      const record = typeof value === "string" ? value : JSON.stringify(value);
      bucket.write(own, record, bucket.get(own)?.revision ?? 0);
      bucket.write(`key.zzzzzzzzzzz${at.toString(36)}`, record, 0);
      await bucket.settle();
    }
    expect(a.events).toHaveLength(heard);
    expect(a.book.list()).toEqual([entry]);
    expect(accepts(a, text)).toBe(true);
    // A server that starts now knows none of them, and goes on.
    const late = start(bucket);
    await bucket.settle();
    expect(late.book.list()).toEqual([]);
  });

  test("by an earlier version is read, but a header with credentials names nobody", async () => {
    const { bucket, a } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    const kept = [
      { name: "box mk_7f3kq2m9x0ab_x", tenant: "mk_7f3kq2m9x0ab_x" },
      { name: "a\ud83d" },
      { name: "\u0958".repeat(128) },
      { userHeader: "Cookie" },
      { userHeader: "x-user-roles" },
    ];
    for (const [at, terms] of kept.entries()) {
      const changed = { ...entry, ...terms, revision: at + 2 };
      bucket.write(`key.${entry.id}`, JSON.stringify(changed), bucket.get(`key.${entry.id}`)?.revision ?? 0);
      await bucket.settle();
      expect(a.book.get(entry.id)).toEqual(changed);
      expect(a.book.sources.api.find(sha256(text))?.userHeader).toBeUndefined();
    }
  });

  test("with members of a newer version is read without them", async () => {
    const { bucket, a } = await pair();
    const id = "0123456789ab";
    const entry: KeyEntry = {
      name: "new",
      limits: {},
      id,
      kind: "client",
      source: "made",
      secret: { hash: sha256("x"), hint: "mk_0123…", madeAt: 1 },
      former: [],
      revision: 1,
      createdAt: 1,
      createdBy: "admin",
    };
    bucket.write(`key.${id}`, JSON.stringify({ ...entry, colour: "red" }), 0);
    await bucket.settle();
    expect(a.book.get(id)).toEqual(entry);
  });
});

describe("a server of an earlier version", () => {
  /** Writes an entry as a server of a later version does. */
  function overwrite(bucket: MemoryBucket, entry: KeyEntry, members: object): string {
    const key = `key.${entry.id}`;
    const text = JSON.stringify({ ...entry, revision: entry.revision + 1, ...members });
    bucket.write(key, text, bucket.get(key)?.revision ?? 0);
    return text;
  }

  test("leaves in the bucket what only a later version knows, also when it changes the key", async () => {
    const { bucket, a, b } = await pair();
    const { entry } = await done(bucket, a.writer.create(SPEC, BY));
    const text = overwrite(bucket, entry, { limits: { parallel: 2, watts: 9 }, colour: "red" });
    await bucket.settle();
    expect(bucket.records()[`key.${entry.id}`]).toBe(text);
    for (const server of [a, b]) expect(server.book.get(entry.id)?.limits).toEqual({ parallel: 2 });
    await done(bucket, a.writer.update(entry.id, { terms: { weight: 3 }, limits: { parallel: 4 } }));
    const kept: unknown = JSON.parse(bucket.records()[`key.${entry.id}`] ?? "");
    expect(kept).toMatchObject({ limits: { parallel: 4, watts: 9 }, weight: 3, colour: "red", revision: 3 });
  });

  test("ends a key that was revoked in an entry that it cannot read, and leaves that entry as it is", async () => {
    const { bucket, a, b } = await pair();
    const { entry, text } = await done(bucket, a.writer.create(SPEC, BY));
    const written = overwrite(bucket, entry, { class: "urgent" });
    await bucket.settle();
    expect([accepts(a, text), accepts(b, text)]).toEqual([true, true]);
    const revoked = overwrite(bucket, entry, { class: "urgent", revokedAt: 5, revokedBy: "admin-key:1" });
    await bucket.settle();
    expect([codeFor(a, text), codeFor(b, text)]).toEqual(["key_revoked", "key_revoked"]);
    expect(written).not.toBe(revoked);
    expect(bucket.records()[`key.${entry.id}`]).toBe(revoked);
  });

  test("keeps its doors shut if it hears later of keys alone that it cannot read", async () => {
    const bucket = new MemoryBucket();
    bucket.write("key.0123456789ab", JSON.stringify({ id: "0123456789ab", kind: "reader" }), 0);
    const alone = start();
    alone.reach.isReached = true;
    alone.table.attach(bucket.open());
    await bucket.settle();
    expect(alone.keys.standing().kind).toBe("current");
    const { api, client, admin } = alone.book.sources;
    expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([false, false, false]);
  });

  test("shuts its doors when it hears of a key that it cannot read, and says so once", async () => {
    const { bucket, a } = await pair();
    const { api, client, admin } = a.book.sources;
    let shut = 0;
    a.keys.onRead(() => {
      shut += 1;
    });
    expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([true, true, true]);
    for (const id of ["0123456789ab", "0123456789ac"])
      bucket.write(`key.${id}`, JSON.stringify({ id, kind: "reader" }), 0);
    await bucket.settle();
    expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([false, false, false]);
    expect(shut).toBe(1);
  });
});

test("a bucket that was restored from a backup gets back what the servers know better", async () => {
  for (const isBehind of [false, true]) {
    const { bucket, a, b } = await pair();
    const old = await done(bucket, a.writer.create(SPEC, BY));
    const backup = bucket.copy();
    await done(bucket, b.writer.revoke(old.entry.id, BY));
    const young = await done(bucket, a.writer.create(SPEC, BY));
    for (const { table } of [a, b]) table.detach();
    // Another server may have written to it meanwhile.
    if (!isBehind) for (let at = 0; at < 9; at += 1) backup.write(`other.${at}`, "x", 0);
    for (const { table } of [a, b]) table.attach(backup.open());
    await backup.settle();
    expect(backup.records()[`key.${old.entry.id}`]).toContain("revokedAt");
    for (const server of [a, b]) expect(codeFor(server, old.text)).toBe("key_revoked");
    if (!isBehind) continue;
    for (const server of [a, b]) expect(accepts(server, young.text)).toBe(true);
    await done(backup, b.writer.revoke(young.entry.id, BY));
    expect([codeFor(a, young.text), codeFor(b, young.text)]).toEqual(["key_revoked", "key_revoked"]);
  }
});
