import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../src/auth/keys.ts";
import { Fault } from "../../../src/errors.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeySpec } from "../../../src/keys/key-spec.ts";
import { KeyWriter } from "../../../src/keys/key-writer.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { SharedKeysInMemory, type View } from "../../support/shared-keys.ts";

const BY = { by: "admin-key:1" };
const ONCE = { ...BY, idempotencyKey: "once" };
const HOUR = 3_600_000;

function spec(terms: Partial<KeySpec["terms"]> = {}, kind: KeySpec["kind"] = "client"): KeySpec {
  return { kind, terms: { name: "CI", limits: {}, ...terms } };
}

interface Server {
  readonly book: KeyBook;
  readonly writer: KeyWriter;
  readonly shared: View;
}

function start(all: SharedKeysInMemory): Server {
  const shared = all.open();
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 10 });
  shared.watch({ saved: (entry) => book.accept(entry), unreadable: () => {}, removed: () => {}, used: () => {} });
  return { book, shared, writer: new KeyWriter({ book, shared, clock: systemClock }) };
}

function pair(): { readonly all: SharedKeysInMemory; readonly a: Server; readonly b: Server } {
  const all = new SharedKeysInMemory();
  return { all, a: start(all), b: start(all) };
}

const isValid = ({ book }: Server, text: string): boolean => book.sources.api.find(sha256(text)) !== undefined;

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Fault) return error;
  throw new Error(`no fault: ${error}`);
}

describe("a change that several servers share", () => {
  test("counts here when it is written, and on the others when they are told", async () => {
    const { all, a, b } = pair();
    const { entry, text } = await a.writer.create(spec(), BY);
    expect([isValid(a, text), isValid(b, text)]).toEqual([true, false]);
    all.deliver();
    expect(isValid(b, text)).toBe(true);
    await b.writer.revoke(entry.id, BY);
    all.deliver();
    expect([isValid(a, text), isValid(b, text)]).toEqual([false, false]);
  });

  test("is worked out again on what another server has changed first", async () => {
    const { all, a, b } = pair();
    const { entry } = await a.writer.create(spec({ limits: { parallel: 1 } }), BY);
    all.deliver();
    const changes = [
      a.writer.update(entry.id, { terms: { weight: 2 }, limits: {} }),
      b.writer.update(entry.id, { terms: { models: ["m"] }, limits: { parallel: 3 } }),
      b.writer.update(entry.id, { terms: { name: "ci" }, limits: {} }),
    ];
    await Promise.all(changes);
    all.deliver();
    expect(a.book.get(entry.id)).toEqual(b.book.get(entry.id));
    const changed = { weight: 2, models: ["m"], name: "ci", limits: { parallel: 3 }, revision: 4 };
    expect(a.book.get(entry.id)).toMatchObject(changed);
  });

  test("does nothing to a key that another server has revoked meanwhile", async () => {
    const { all, a, b } = pair();
    const { entry, text } = await a.writer.create(spec(), BY);
    all.deliver();
    await a.writer.revoke(entry.id, BY);
    expect((await faultOf(b.writer.update(entry.id, { terms: { weight: 2 }, limits: {} }))).message).toContain("final");
    expect((await faultOf(b.writer.rotate(entry.id, 0, BY))).message).toContain("final");
    const revoked = await b.writer.revoke(entry.id, { by: "admin-key:2" });
    expect(revoked.revokedBy).toBe("admin-key:1");
    expect(isValid(b, text)).toBe(false);
  });

  test("is refused while the shared keys are away, and leaves everything as it was", async () => {
    const { a } = pair();
    const { entry, text } = await a.writer.create(spec(), BY);
    a.shared.next.push("away", "away");
    expect(await faultOf(a.writer.revoke(entry.id, BY))).toMatchObject({ code: "keys_unavailable", retryAfterS: 5 });
    expect((await faultOf(a.writer.create(spec(), BY))).status).toBe(503);
    expect(a.book.list()).toEqual([entry]);
    expect(isValid(a, text)).toBe(true);
  });

  test("of which nobody knows whether it was made says so", async () => {
    const { all, a } = pair();
    const { entry } = await a.writer.create(spec(), BY);
    a.shared.next.push("lost");
    const fault = await faultOf(a.writer.revoke(entry.id, BY));
    expect([fault.code, fault.message]).toEqual(["keys_unavailable", expect.stringContaining("not known")]);
    all.deliver();
    expect(a.book.get(entry.id)?.revokedAt).toBeNumber();
  });

  test("that other servers always forestall ends with a conflict", async () => {
    const { a } = pair();
    const { entry } = await a.writer.create(spec(), BY);
    a.shared.next.push(...Array<"conflict">(30).fill("conflict"));
    expect((await faultOf(a.writer.revoke(entry.id, BY))).code).toBe("key_conflict");
    expect(a.book.get(entry.id)?.revokedAt).toBeUndefined();
  }, 20_000);

  test("keeps what another server has changed after it, when that is heard first", async () => {
    const { all, a, b } = pair();
    const { entry } = await a.writer.create(spec(), BY);
    all.deliver();
    const { revision } = entry;
    a.shared.meanwhile = () => a.book.accept({ ...entry, weight: 9, revision: revision + 5 });
    const changed = await a.writer.update(entry.id, { terms: { weight: 2 }, limits: {} });
    expect(changed).toMatchObject({ weight: 9, revision: revision + 5 });
    expect(b.book.get(entry.id)).toEqual(entry);
  });
});

describe("a request with a name", () => {
  test("that reaches two servers at once makes one key, whose text one of them shows", async () => {
    const { all, a, b } = pair();
    const outcomes = await Promise.allSettled([a.writer.create(spec(), ONCE), b.writer.create(spec(), ONCE)]);
    const [made] = outcomes.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
    const [refused] = outcomes.flatMap((each) => (each.status === "rejected" ? each.reason : []));
    expect(refused).toMatchObject({ code: "key_already_shown" });
    all.deliver();
    expect(all.entries()).toHaveLength(1);
    expect([isValid(a, made?.text ?? ""), isValid(b, made?.text ?? "")]).toEqual([true, true]);
  });

  test("that is repeated at another server makes no second key", async () => {
    const { all, a, b } = pair();
    const made = await a.writer.create(spec(), ONCE);
    expect((await faultOf(b.writer.create(spec(), ONCE))).code).toBe("key_already_shown");
    all.deliver();
    expect((await faultOf(b.writer.create(spec(), ONCE))).code).toBe("key_already_shown");
    expect(await a.writer.create(spec(), ONCE)).toEqual({ ...made, isRepeat: true });
    expect(b.book.list()).toHaveLength(1);
  });

  test("that is sent twice to one server at the same time gets the same answer twice", async () => {
    const { a } = pair();
    const [first, second] = await Promise.all([a.writer.create(spec(), ONCE), a.writer.create(spec(), ONCE)]);
    expect(second).toEqual({ ...first, isRepeat: true });
  });

  test("whose outcome was unknown gets the key that it made, or makes it with the same text", async () => {
    for (const outcome of ["lost", "unknown"] as const) {
      const { all, a } = pair();
      a.shared.next.push(outcome);
      expect((await faultOf(a.writer.create(spec(), ONCE))).code).toBe("keys_unavailable");
      const made = await a.writer.create(spec(), ONCE);
      expect(all.entries()).toHaveLength(1);
      expect(isValid(a, made.text)).toBe(true);
    }
  });

  test("rotates a key once, whichever servers it reaches", async () => {
    const { all, a, b } = pair();
    const { entry } = await a.writer.create(spec(), BY);
    all.deliver();
    const outcomes = await Promise.allSettled([
      a.writer.rotate(entry.id, HOUR, ONCE),
      b.writer.rotate(entry.id, HOUR, ONCE),
      b.writer.rotate(entry.id, HOUR, ONCE),
    ]);
    const texts = outcomes.flatMap((each) => (each.status === "fulfilled" ? each.value.text : []));
    const codes = outcomes.flatMap((each) => (each.status === "rejected" ? each.reason.code : []));
    all.deliver();
    expect(new Set(texts).size).toBe(1);
    expect(new Set(codes)).toEqual(new Set(["key_already_shown"]));
    expect(a.book.get(entry.id)?.former).toHaveLength(1);
    expect(isValid(a, texts[0] ?? "")).toBe(true);
  });
});

test("of a token's last use, one server of many gets it", async () => {
  const all = new SharedKeysInMemory();
  const servers = Array.from({ length: 5 }, () => start(all));
  const [first] = servers;
  if (!first) throw new Error("there are five");
  const { entry } = await first.writer.create(spec({ maxUses: 3 }, "join"), BY);
  all.deliver();
  const use = ({ uses = 0, maxUses = 0 }: KeyEntry) => {
    if (uses >= maxUses) throw new Fault("key_expired");
    return { uses: uses + 1 };
  };
  const outcomes = await Promise.allSettled(servers.map(({ writer }) => writer.amend(entry.id, use)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  expect(all.entries()[0]?.uses).toBe(3);
});

test("a server that has its keys for itself changes them at once", async () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 10 });
  const writer = new KeyWriter({ book, clock: systemClock });
  const made = await writer.create(spec(), ONCE);
  expect(await writer.create(spec(), ONCE)).toEqual({ ...made, isRepeat: true });
  await writer.revoke(made.entry.id, BY);
  expect(book.get(made.entry.id)?.revokedBy).toBe("admin-key:1");
});

test("the first key of a kind that cannot be written shuts no door, and nobody hears of it", async () => {
  let isFull = true;
  const records = createMemoryRecords();
  const book = new KeyBook({ records, clock: systemClock, maxRequests: 10 });
  const events: string[] = [];
  book.onChange(({ kind }) => events.push(kind));
  const writer = new KeyWriter({ book, clock: systemClock, isFailing: () => isFull });
  for (const kind of ["client", "worker", "admin"] as const)
    expect((await faultOf(writer.create(spec({}, kind), { ...BY, idempotencyKey: kind }))).code).toBe(
      "keys_unavailable",
    );
  const { api, client, admin } = book.sources;
  expect([api, client, admin].map(({ isEmpty }) => isEmpty)).toEqual([true, true, true]);
  expect([events, book.list(), records.load()]).toEqual([[], [], []]);
  isFull = false;
  const { entry, text } = await writer.create(spec(), { ...BY, idempotencyKey: "client" });
  isFull = true;
  expect((await faultOf(writer.rotate(entry.id, 0, BY))).code).toBe("keys_unavailable");
  expect(book.sources.api.find(sha256(text))).toBeDefined();
  expect([events, records.load()]).toEqual([["created"], [entry]]);
});

test("where the servers of a cluster share no place for keys, each of them makes none that it cannot write", async () => {
  const shared = new SharedKeysInMemory().open();
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 10 });
  const writer = new KeyWriter({ book, shared, clock: systemClock, isFailing: () => true });
  const { entry } = await writer.create(spec(), BY);
  shared.stands = { kind: "own" };
  expect((await faultOf(writer.create(spec(), BY))).code).toBe("keys_unavailable");
  expect(book.list()).toEqual([entry]);
});
