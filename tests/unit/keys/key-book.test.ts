import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../src/auth/keys.ts";
import { Fault } from "../../../src/errors.ts";
import { KeyBook, type KeyBookOptions } from "../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../src/keys/key-entry.ts";
import type { KeyEvent } from "../../../src/keys/key-event.ts";
import { createMemoryRecords, type KeyRecords } from "../../../src/keys/key-records.ts";
import type { KeySpec } from "../../../src/keys/key-spec.ts";
import { readSharedEntry, sharedText } from "../../../src/keys/shared-entry.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function spec(terms: Partial<KeySpec["terms"]> = {}, kind: KeySpec["kind"] = "client"): KeySpec {
  return { kind, terms: { name: "CI", limits: {}, ...terms } };
}

interface Rig {
  readonly book: KeyBook;
  readonly clock: FakeClock;
  readonly records: KeyRecords;
  readonly events: KeyEvent[];
}

function rig(options: Partial<KeyBookOptions> = {}): Rig {
  const clock = new FakeClock();
  const records = options.records ?? createMemoryRecords();
  const book = new KeyBook({ records, clock, maxRequests: 200, ...options });
  const events: KeyEvent[] = [];
  book.onChange((event) => events.push(event));
  return { book, clock, records, events };
}

function faultOf(run: () => unknown): { readonly code: string; readonly message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was thrown");
}

const find = ({ book }: Rig, text: string) => book.sources.api.find(sha256(text));
const explain = ({ book }: Rig, text: string) => book.sources.api.explain?.(text, sha256(text));

describe("a made key", () => {
  test("lets its holder in under its id, with what it allows", () => {
    const it = rig();
    const { entry, text } = it.book.create(
      spec({
        tenant: "research",
        weight: 2,
        class: "background",
        models: ["qwen*"],
        userHeader: "x-user",
        prefer: "own",
      }),
      BY,
    );
    const record = find(it, text);
    expect(record).toMatchObject({
      name: `key:${entry.id}`,
      keyId: entry.id,
      tenant: "research",
      weight: 2,
      class: "background",
      limits: { maxRequests: 200 },
      userHeader: "x-user",
      prefer: "own",
    });
    expect([record?.may("qwen3"), record?.may("llama3")]).toEqual([true, false]);
  });

  test("without further terms counts like a configured one", () => {
    const it = rig();
    const record = find(it, it.book.create(spec(), BY).text);
    expect(record).toMatchObject({ tenant: "default", weight: 1, class: "normal" });
    expect(record?.may("anything")).toBe(true);
  });

  test("is kept as a hash and a hint, and its text nowhere", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), { ...BY, idempotencyKey: "once" });
    const kept = JSON.stringify([it.records.load(), it.book.list(), it.events]);
    expect(entry.secret).toMatchObject({ hash: sha256(text), hint: `mk_${entry.id.slice(0, 4)}…` });
    expect(text).toContain(entry.id);
    expect(kept).not.toContain(text);
    expect(kept).not.toContain(text.split("_")[2] ?? "");
    expect(kept).not.toContain("once");
  });

  test("is known again after a restart", () => {
    const first = rig();
    const { entry, text } = first.book.create(spec({ models: ["a"] }), BY);
    const second = rig({ records: first.records });
    expect(find(second, text)).toMatchObject({ keyId: entry.id });
    expect(second.book.get(entry.id)).toEqual(entry);
  });

  test("opens nothing that is for another kind of key, and says so", () => {
    const it = rig();
    const { text } = it.book.create(spec({}, "worker"), BY);
    expect(it.book.sources.client.find(sha256(text))).toBeDefined();
    expect(it.book.sources.admin.find(sha256(text))).toBeUndefined();
    expect(find(it, text)).toBeUndefined();
    expect(explain(it, text)).toMatchObject({ code: "invalid_api_key", isGuess: false, reason: "key_of_another_kind" });
    const join = it.book.create(spec({}, "join"), BY);
    expect(join.text).toStartWith("mj_");
    expect(it.book.joins.find(sha256(join.text))).toMatchObject({ keyId: join.entry.id });
    for (const source of Object.values(it.book.sources)) expect(source.find(sha256(join.text))).toBeUndefined();
  });

  test("cannot be made with an end in the past", () => {
    const it = rig();
    expect(faultOf(() => it.book.create(spec({ expiresAt: it.clock.now() }), BY)).code).toBe("invalid_request");
    expect(it.book.list()).toEqual([]);
  });

  test("stands for the owner of a worker's id until it is revoked, also after rotations", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec({}, "worker"), BY);
    const owner = it.book.sources.client.find(sha256(text))?.owner ?? "";
    expect(it.book.sources.client.hasOwner(owner)).toBe(true);
    expect(it.book.sources.api.hasOwner(owner)).toBe(false);
    const next = it.book.rotate(entry.id, 0, BY);
    expect(it.book.sources.client.find(sha256(next.text))?.owner).toBe(owner);
    it.book.revoke(entry.id, BY);
    expect(it.book.sources.client.hasOwner(owner)).toBe(false);
  });
});

describe("the end of a key", () => {
  test("by expiry comes at its time, and is told with that time", () => {
    const it = rig();
    const { text } = it.book.create(spec({ expiresAt: it.clock.now() + 1000 }), BY);
    it.clock.advance(999);
    expect(find(it, text)).toBeDefined();
    it.clock.advance(1);
    expect(find(it, text)).toBeUndefined();
    expect(explain(it, text)).toMatchObject({ code: "key_expired", isGuess: false });
    expect(explain(it, text)?.message).toContain(new Date(it.clock.now()).toISOString());
  });

  test("by expiry is undone by a later one", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec({ expiresAt: it.clock.now() + 1000 }), BY);
    it.clock.advance(2000);
    it.book.update(entry.id, { terms: { expiresAt: undefined }, limits: {} });
    expect(find(it, text)).toBeDefined();
  });

  test("by revocation is immediate and final", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), BY);
    const revoked = it.book.revoke(entry.id, { by: "cli" });
    expect(revoked).toMatchObject({ revokedAt: it.clock.now(), revokedBy: "cli", revision: 2 });
    expect(find(it, text)).toBeUndefined();
    expect(explain(it, text)).toMatchObject({ code: "key_revoked", isGuess: false, caller: `key:${entry.id}` });
    it.clock.advance(HOUR);
    expect(it.book.revoke(entry.id, BY)).toEqual(revoked);
    expect(it.events.map(({ kind }) => kind)).toEqual(["created", "revoked"]);
    expect(faultOf(() => it.book.update(entry.id, { terms: { weight: 2 }, limits: {} })).message).toContain("final");
    expect(faultOf(() => it.book.rotate(entry.id, 0, BY)).message).toContain("final");
  });

  test("never opens a door that had keys", () => {
    const it = rig();
    expect(it.book.sources.api.isEmpty).toBe(true);
    const { entry } = it.book.create(spec(), BY);
    it.book.revoke(entry.id, BY);
    expect([it.book.sources.api.isEmpty, it.book.sources.admin.isEmpty]).toEqual([false, true]);
    expect(rig({ records: it.records }).book.sources.api.isEmpty).toBe(false);
  });
});

describe("a rotation", () => {
  test("lets both secrets in during the overlap, and then tells the old one about the new one", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), BY);
    const next = it.book.rotate(entry.id, HOUR, BY);
    expect(next.entry.id).toBe(entry.id);
    expect(next.text).not.toBe(text);
    for (let minute = 0; minute < 60; minute += 1) {
      expect([find(it, text)?.keyId, find(it, next.text)?.keyId]).toEqual([entry.id, entry.id]);
      it.clock.advance(MINUTE);
    }
    expect(find(it, text)).toBeUndefined();
    expect(find(it, next.text)).toBeDefined();
    expect(explain(it, text)).toMatchObject({ code: "key_rotated", isGuess: false });
  });

  test("keeps name, limits and id, and survives a restart", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec({ limits: { parallel: 2 } }), BY);
    const next = it.book.rotate(entry.id, HOUR, BY);
    expect(next.entry).toMatchObject({ name: "CI", limits: { parallel: 2 }, revision: 2 });
    const later = rig({ records: it.records });
    expect([find(later, text)?.keyId, find(later, next.text)?.keyId]).toEqual([entry.id, entry.id]);
  });

  test("is refused while four earlier secrets are valid", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), BY);
    for (let count = 0; count < 4; count += 1) it.book.rotate(entry.id, HOUR, BY);
    expect(faultOf(() => it.book.rotate(entry.id, HOUR, BY)).code).toBe("invalid_request");
    it.clock.advance(HOUR);
    it.book.rotate(entry.id, HOUR, BY);
    // The first secret is no longer remembered, so it is a wrong key like any other.
    expect(explain(it, text)).toBeUndefined();
  });

  test("ends all earlier secrets as well if it has a shorter overlap, as after a leak", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), BY);
    const texts = [text];
    for (let count = 0; count < 4; count += 1) texts.push(it.book.rotate(entry.id, 24 * HOUR, BY).text);
    const next = it.book.rotate(entry.id, 0, BY);
    expect(texts.map((each) => find(it, each))).toEqual(texts.map(() => undefined));
    expect(texts.slice(1).map((each) => explain(it, each)?.code)).toEqual(Array(4).fill("key_rotated"));
    expect(find(it, next.text)?.keyId).toBe(entry.id);
  });

  test("takes an overlap of at most 90 days", () => {
    const it = rig();
    const { id } = it.book.create(spec(), BY).entry;
    for (const overlap of [-1, Number.NaN, 91 * 24 * HOUR])
      expect(faultOf(() => it.book.rotate(id, overlap, BY)).code).toBe("invalid_request");
  });
});

describe("a request that is repeated with its Idempotency-Key", () => {
  const once = { ...BY, idempotencyKey: "first try" };

  test("gets the same key, once it was made or rotated", () => {
    const it = rig();
    const made = it.book.create(spec(), once);
    expect(it.book.create(spec(), once)).toEqual({ ...made, isRepeat: true });
    const rotated = it.book.rotate(made.entry.id, HOUR, once);
    expect(it.book.rotate(made.entry.id, HOUR, once)).toEqual({ ...rotated, isRepeat: true });
    expect(it.events.map(({ kind }) => kind)).toEqual(["created", "rotated"]);
  });

  test("of another caller, or for another request, is another request", () => {
    const it = rig();
    const made = it.book.create(spec(), once);
    expect(it.book.create(spec(), { ...once, by: "admin-key:2" }).entry.id).not.toBe(made.entry.id);
    expect(faultOf(() => it.book.create(spec({ name: "other" }), once)).message).toContain("another request");
    const again = it.book.rotate(made.entry.id, 0, once);
    expect(it.book.rotate(made.entry.id, 0, { ...once, idempotencyKey: "second" }).text).not.toBe(again.text);
  });

  test("may expire later by the time that has passed, because programs compute it from their clock", () => {
    const it = rig();
    const in7Days = () => spec({ expiresAt: it.clock.now() + 7 * 24 * HOUR });
    const made = it.book.create(in7Days(), once);
    it.clock.advance(30 * MINUTE);
    expect(it.book.create(in7Days(), once)).toEqual({ ...made, isRepeat: true });
    for (const expiresAt of [undefined, (made.entry.expiresAt ?? 0) + HOUR, (made.entry.expiresAt ?? 0) - HOUR])
      expect(faultOf(() => it.book.create(spec({ expiresAt }), once)).message).toContain("another request");
  });

  test("gets key_already_shown when the text is not known any more, and changes nothing", () => {
    const it = rig();
    const { entry } = it.book.create(spec(), once);
    const restarted = rig({ records: it.records });
    expect(faultOf(() => restarted.book.create(spec(), once)).code).toBe("key_already_shown");
    it.clock.advance(HOUR);
    expect(faultOf(() => it.book.create(spec(), once)).code).toBe("key_already_shown");
    expect(it.book.list()).toEqual([entry]);
  });
});

describe("a change", () => {
  test("counts for the next request", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec({ models: ["a"], limits: { parallel: 1, tokensPerDay: 5 } }), BY);
    it.book.update(entry.id, { terms: { models: ["b"], weight: 3 }, limits: { parallel: undefined } });
    expect(it.book.get(entry.id)).toMatchObject({ models: ["b"], weight: 3, limits: { tokensPerDay: 5 }, revision: 2 });
    expect(it.book.get(entry.id)?.limits).toEqual({ tokensPerDay: 5 });
    expect(find(it, text)?.may("b")).toBe(true);
  });

  test("that says nothing new is not written", () => {
    const it = rig();
    const { entry } = it.book.create(spec({ weight: 2 }), BY);
    expect(it.book.update(entry.id, { terms: { weight: 2, tenant: undefined }, limits: {} })).toEqual(entry);
    expect(it.events).toHaveLength(1);
  });

  test("of a key that nobody has is refused", () => {
    const it = rig();
    expect(faultOf(() => it.book.update("nobody", { terms: {}, limits: {} })).code).toBe("key_not_found");
    expect(faultOf(() => it.book.revoke("nobody", BY)).code).toBe("key_not_found");
    expect(faultOf(() => it.book.rotate("nobody", 0, BY)).code).toBe("key_not_found");
  });
});

describe("a wrong text", () => {
  test("that begins like a key is told as a typing error, and counts as a guess", () => {
    const it = rig();
    const { text } = it.book.create(spec(), BY);
    const typo = text.slice(0, -1) + (text.endsWith("a") ? "b" : "a");
    expect(explain(it, typo)).toMatchObject({ code: "invalid_api_key", reason: "mistyped", isGuess: true });
    expect(explain(it, text.slice(0, 20))).toMatchObject({ reason: "mistyped" });
  });

  test("that is in form, or is no key of this kind, is a wrong key", () => {
    const [it, other] = [rig(), rig()];
    it.book.create(spec(), BY);
    expect(explain(it, other.book.create(spec(), BY).text)).toBeUndefined();
    expect(explain(it, "sk-something")).toBeUndefined();
  });
});

describe("the last use of a key", () => {
  test("is noted at most once a minute, and never becomes a revision", () => {
    const notes: [string, number][] = [];
    const it = rig({ records: { ...createMemoryRecords(), used: (id, at) => notes.push([id, at]) } });
    const { entry, text } = it.book.create(spec(), BY);
    const record = find(it, text);
    if (!record) throw new Error("the key is not known");
    for (let second = 0; second < 120; second += 1) {
      it.book.sources.api.used?.(record);
      it.clock.advance(1000);
    }
    expect(notes).toHaveLength(2);
    expect(it.book.get(entry.id)).toEqual({ ...entry, lastUsedAt: notes[1]?.[1] });
  });

  test("is kept by a change that is made later", () => {
    const it = rig();
    const { entry, text } = it.book.create(spec(), BY);
    const record = find(it, text);
    if (record) it.book.sources.api.used?.(record);
    const usedAt = it.clock.now();
    it.clock.advance(MINUTE);
    expect(it.book.update(entry.id, { terms: { weight: 2 }, limits: {} }).lastUsedAt).toBe(usedAt);
    expect(it.records.load()[0]?.lastUsedAt).toBe(usedAt);
  });
});

describe("an entry from another server", () => {
  test("counts if it is newer, and is ignored if it is older", () => {
    const [here, there] = [rig(), rig()];
    const { entry, text } = there.book.create(spec(), BY);
    here.book.accept(entry);
    expect(find(here, text)).toBeDefined();
    const changed = there.book.update(entry.id, { terms: { weight: 2 }, limits: {} });
    here.book.accept(changed);
    here.book.accept(entry);
    expect(here.book.get(entry.id)).toEqual(changed);
    expect(here.events.map(({ kind }) => kind)).toEqual(["created", "changed"]);
  });

  test("never makes a revoked key valid again, however many changes another server has made", () => {
    const [here, there] = [rig(), rig()];
    const { entry, text } = there.book.create(spec(), BY);
    here.book.accept(entry);
    here.book.revoke(entry.id, BY);
    let changed: KeyEntry = entry;
    for (const weight of [2, 3, 4]) changed = there.book.update(entry.id, { terms: { weight }, limits: {} });
    here.book.accept(changed);
    expect(find(here, text)).toBeUndefined();
    const revoked = here.book.get(entry.id);
    if (revoked) there.book.accept(revoked);
    expect(find(there, text)).toBeUndefined();
    expect(there.book.get(entry.id)).toEqual(revoked);
  });

  test("is refused if it is new and there are more than servers create, and a change of a known key is not", () => {
    const [here, there] = [rig(), rig()];
    const { entry } = there.book.create(spec(), BY);
    expect(here.book.accept(entry)).toBe(true);
    const named = (number: number): KeyEntry => ({
      ...entry,
      id: `k${String(number).padStart(11, "0")}`,
      secret: { ...entry.secret, hash: String(number).padStart(64, "0") },
    });
    let taken = 1;
    while (here.book.accept(named(taken))) taken += 1;
    expect(taken).toBe(31_000);
    expect(here.book.list()).toHaveLength(31_000);
    const revoked = there.book.revoke(entry.id, BY);
    expect(here.book.accept(revoked)).toBe(true);
    expect(here.book.get(entry.id)?.revokedAt).toBeDefined();
  });

  test("with the greatest revision can be changed and revoked like any other", () => {
    const [here, there] = [rig(), rig()];
    const { entry, text } = there.book.create(spec(), BY);
    here.book.accept({ ...entry, revision: Number.MAX_SAFE_INTEGER });
    const revoked = here.book.revoke(entry.id, BY);
    expect(revoked).toMatchObject({ revision: Number.MAX_SAFE_INTEGER, revokedBy: BY.by });
    expect(readSharedEntry(entry.id, sharedText(revoked))).toBeDefined();
    there.book.accept(revoked);
    expect([find(here, text), find(there, text)]).toEqual([undefined, undefined]);
  });

  test("with the same revision gives the same key on both servers", () => {
    const [here, there] = [rig(), rig()];
    const { entry } = there.book.create(spec(), BY);
    here.book.accept(entry);
    const a = here.book.update(entry.id, { terms: { weight: 2 }, limits: {} });
    const b = there.book.update(entry.id, { terms: { weight: 3 }, limits: {} });
    here.book.accept(b);
    there.book.accept(a);
    expect(here.book.get(entry.id)).toEqual(there.book.get(entry.id));
  });
});

describe("many keys", () => {
  test("beyond the limit make room by forgetting those that ended first, but never the last of its kind", () => {
    const old = rig();
    const lonely = old.book.create(spec({}, "admin"), BY).entry;
    old.book.revoke(lonely.id, BY);
    const [sample] = old.records.load();
    if (!sample) throw new Error("nothing was kept");
    const made = (index: number, revokedAt?: number): KeyEntry => ({
      ...sample,
      id: `key${index}`,
      kind: "client",
      secret: { ...sample.secret, hash: sha256(String(index)) },
      revokedAt,
    });
    const ended = Array.from({ length: 10_000 }, (_, index) => made(index, index + 1));
    const valid = Array.from({ length: 19_999 }, (_, index) => made(index + 10_000));
    const it = rig({ records: createMemoryRecords([sample, ...ended, ...valid]) });
    it.book.create(spec(), BY);
    expect([it.book.get("key0"), it.book.get("key998")]).toEqual([undefined, undefined]);
    expect(it.book.get("key1500")).toBeDefined();
    expect(it.book.get(lonely.id)).toBeDefined();
    expect(it.records.load()).toHaveLength(it.book.list().length);
    expect(faultOf(() => it.book.create(spec(), BY)).message).toContain("20000 valid keys");
  });
});

test("keys that cannot be read shut every door, since one of them may have been the last of its kind", () => {
  const records = { ...createMemoryRecords(), unreadable: () => 1 };
  const { sources } = rig({ records }).book;
  expect([sources.api.isEmpty, sources.client.isEmpty, sources.admin.isEmpty]).toEqual([false, false, false]);
  const { sources: others } = rig().book;
  expect([others.api.isEmpty, others.client.isEmpty, others.admin.isEmpty]).toEqual([true, true, true]);
});

describe("the keys of KEYS_FILE", () => {
  const fileEntry = (name: string, text: string, more: Partial<KeyEntry> = {}): KeyEntry => ({
    id: `file:${name}`,
    kind: "client",
    source: "file",
    name,
    limits: {},
    secret: { hash: sha256(text), hint: "sha256:…", madeAt: 1 },
    former: [],
    revision: 1,
    createdAt: 1,
    createdBy: "KEYS_FILE",
    ...more,
  });

  test("let their holders in under their names, and are not written anywhere", () => {
    const it = rig();
    it.book.replaceFile([fileEntry("ci", "one"), fileEntry("chat", "two")]);
    expect([find(it, "one")?.name, find(it, "two")?.name]).toEqual(["file:ci", "file:chat"]);
    expect(it.records.load()).toEqual([]);
  });

  test("go and change with the file", () => {
    const it = rig();
    const former = (madeAt: number) => [{ hash: sha256("old"), hint: "sha256:…", madeAt, validUntil: HOUR }];
    it.book.replaceFile([
      fileEntry("ci", "one", { former: former(1) }),
      fileEntry("chat", "two"),
      fileEntry("web", "three"),
    ]);
    it.events.length = 0;
    it.book.replaceFile([
      // Read again at another time, and the same.
      fileEntry("ci", "one", { createdAt: 2, former: former(2) }),
      fileEntry("chat", "two", { weight: 2 }),
      fileEntry("new", "four"),
    ]);
    expect(find(it, "three")).toBeUndefined();
    expect(it.events.map(({ kind, entry }) => [kind, entry.id])).toEqual([
      ["removed", "file:web"],
      ["changed", "file:chat"],
      ["created", "file:new"],
    ]);
    expect(it.book.sources.api.isEmpty).toBe(false);
  });

  test("cannot be changed here", () => {
    const it = rig();
    it.book.replaceFile([fileEntry("ci", "one")]);
    for (const change of [
      () => it.book.revoke("file:ci", BY),
      () => it.book.rotate("file:ci", 0, BY),
      () => it.book.update("file:ci", { terms: { weight: 2 }, limits: {} }),
    ]) {
      expect(faultOf(change).message).toBe("This key is listed in KEYS_FILE. Change it in that file.");
    }
  });

  test("may change places and secrets in one step", () => {
    const it = rig();
    it.book.replaceFile([fileEntry("a", "one"), fileEntry("b", "two")]);
    it.book.replaceFile([fileEntry("a", "two"), fileEntry("b", "one")]);
    expect([find(it, "one")?.name, find(it, "two")?.name]).toEqual(["file:b", "file:a"]);
  });
});
