import { expect, test } from "bun:test";
import fc from "fast-check";
import { keyJson } from "../../../src/admin/key-json.ts";
import type { Joined, JoinRequest } from "../../../src/auth/joining.ts";
import { Fault } from "../../../src/errors.ts";
import { JoinDesk, type JoinDeskOptions, type JoinNote, type ReplacedNote } from "../../../src/keys/join-desk.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { readKeySpec } from "../../../src/keys/key-spec.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { keyHash } from "../../../src/keys/key-text.ts";
import { KeyWriter } from "../../../src/keys/key-writer.ts";
import { readSharedEntry, sharedText } from "../../../src/keys/shared-entry.ts";
import { toName } from "../../../src/keys/spec-fields.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };

function setUp(options: Partial<JoinDeskOptions> = {}) {
  const clock = new FakeClock();
  const records = createMemoryRecords();
  const book = new KeyBook({ records, clock, maxRequests: 10 });
  const notes: JoinNote[] = [];
  const onJoined = (note: JoinNote): void => void notes.push(note);
  const deskOf = (of: KeyBook): JoinDesk =>
    new JoinDesk({
      book: of,
      writer: () => new KeyWriter({ book: of, clock }),
      clock,
      log: silentLog,
      isKept: () => true,
      onJoined,
      ...options,
    });
  const token = (terms: Partial<KeyTerms> = {}) =>
    book.create({ kind: "join", terms: { name: "rack", limits: {}, maxUses: 1, ...terms } }, BY);
  /** The book of a server that was restarted. */
  const restarted = (): KeyBook => new KeyBook({ records, clock, maxRequests: 10 });
  return { clock, book, desk: deskOf(book), deskOf, token, notes, restarted };
}

function ask(token: string, more: Partial<JoinRequest> = {}): JoinRequest {
  const worker = { workerId: "gpu", otherIds: [], name: "box", knowsTenants: true };
  return { token, proof: "proof-1", ...worker, mayHaveId: () => true, ...more };
}

function credentialOf(joined: Joined): string {
  if (!joined.ok) throw new Error(joined.refusal);
  return joined.credential;
}

const refusalOf = (joined: Joined): string | undefined => (joined.ok ? undefined : joined.refusal);

test("a token is traded for a worker's key with the token's terms, bound to the worker's ids", async () => {
  const { book, desk, token, notes } = setUp();
  const { text, entry } = token({ models: ["llama*"], tenants: ["research"], maxSlots: 2 });
  const joined = await desk.trade(ask(text, { otherIds: ["files"] }), "10.0.0.1");
  const key = book.findByText(credentialOf(joined));
  expect(key).toMatchObject({
    kind: "worker",
    name: "box",
    workerId: "gpu",
    otherIds: ["files"],
    models: ["llama*"],
    tenants: ["research"],
    maxSlots: 2,
    createdBy: `key:${entry.id}`,
  });
  expect(joined).toMatchObject({
    owner: `made:${key?.id}`,
    caller: `key:${key?.id}`,
    terms: { ids: ["gpu", "files"], models: ["llama*"], tenants: ["research"], maxSlots: 2 },
  });
  expect(book.get(entry.id)?.uses).toBe(1);
  expect(notes).toMatchObject([{ address: "10.0.0.1", key: { id: key?.id }, token: { id: entry.id } }]);
});

const PASTED = `mk_7f3kq2m9x0ab_${"A".repeat(32)}_abcdef`;

test.each([
  ["a key", { name: `box ${PASTED}` }, "box mk_7f3k…"],
  ["a key as its id", { name: undefined, workerId: "mk_7f3kq2m9x0ab_x" }, "mk_7f3k…"],
  ["a key that is one once it is normalized", { name: "m\u212a_7f3kq2m9x0ab_x" }, "mK_7f3k…"],
  ["an emoji across the end of what is kept", { name: `a${"😀".repeat(100)}` }, `a${"😀".repeat(63)}`],
  ["letters that become longer when they are normalized", { name: "\u0958".repeat(128) }, "\u0915\u093c".repeat(64)],
  ["half an emoji", { name: "a\ud83d" }, "a\ufffd"],
  ["nothing to be seen", { name: " \u0000\u202e " }, "gpu"],
])("a worker whose name has %s gets a key that all servers of a cluster can read", async (_, worker, shown) => {
  const { book, desk, token } = setUp();
  const key = book.findByText(credentialOf(await desk.trade(ask(token().text, worker), undefined)));
  expect(key?.name).toBe(shown);
  expect(key && readSharedEntry(key.id, sharedText(key))).toEqual(key);
});

test("any name that a worker gives itself makes a name that keys may have", () => {
  const part = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(PASTED, "mk_", "é", "\u0958", "\ud83d", " "));
  const names = fc.array(part, { maxLength: 20 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(names, (text) => {
      const name = toName(text);
      if (name !== undefined) expect(readKeySpec({ name })).toMatchObject({ ok: true, value: { terms: { name } } });
    }),
    { numRuns: 40 },
  );
});

test("a token lets in as many workers as it may, and then no other", async () => {
  const { desk, token } = setUp();
  const { text } = token({ maxUses: 2 });
  for (const proof of ["a", "b"]) credentialOf(await desk.trade(ask(text, { proof }), undefined));
  expect(refusalOf(await desk.trade(ask(text, { proof: "c" }), undefined))).toBe("join_token_used_up");
});

test("a token without a number of uses makes no more valid keys than fit beside those of others", async () => {
  const { book, desk, token } = setUp({ maxKeys: 2 });
  const { text } = token({ maxUses: undefined });
  const trade = (proof: string): Promise<Joined> => desk.trade(ask(text, { proof }), undefined);
  const first = book.findByText(credentialOf(await trade("a")));
  credentialOf(await trade("b"));
  expect(refusalOf(await trade("c"))).toBe("join_token_used_up");
  credentialOf(await trade("b"));
  credentialOf(await desk.trade(ask(token().text, { proof: "c" }), undefined));
  book.revoke(first?.id ?? "", BY);
  credentialOf(await trade("d"));
});

test("tokens that are unknown, expired, revoked or rotated are refused, each for its own reason", async () => {
  const { clock, book, desk, token } = setUp();
  const expiring = token({ expiresAt: clock.now() + 1000 });
  const [revoked, rotated] = [token(), token()];
  book.revoke(revoked.entry.id, BY);
  book.rotate(rotated.entry.id, 0, BY);
  clock.advance(1000);
  const client = book.create({ kind: "client", terms: { name: "c", limits: {} } }, BY);
  const ends = [expiring, revoked, rotated, client].map(async ({ text }) =>
    refusalOf(await desk.trade(ask(text), undefined)),
  );
  expect(await Promise.all(ends)).toEqual([
    "join_token_expired",
    "join_token_revoked",
    "join_token_revoked",
    "join_token_unknown",
  ]);
  expect(await desk.trade(ask("mj_guess"), undefined)).toEqual({
    ok: false,
    refusal: "join_token_unknown",
    isGuess: true,
  });
});

test("a worker that lost the answer gets the same key again, without another use, also after the token has expired", async () => {
  const { clock, book, desk, token, notes } = setUp();
  const { text, entry } = token({ expiresAt: clock.now() + 1000 });
  const first = credentialOf(await desk.trade(ask(text), undefined));
  clock.advance(5000);
  expect(credentialOf(await desk.trade(ask(text), undefined))).toBe(first);
  expect(book.get(entry.id)?.uses).toBe(1);
  expect(notes).toHaveLength(1);
  expect(refusalOf(await desk.trade(ask(text, { proof: "another" }), undefined))).toBe("join_token_expired");
});

test("after a restart of the server, the worker gets another secret for the same key", async () => {
  const { book, desk, deskOf, token, restarted } = setUp();
  const { text, entry } = token();
  const first = credentialOf(await desk.trade(ask(text), undefined));
  const later = restarted();
  const second = credentialOf(await deskOf(later).trade(ask(text), undefined));
  expect(second).not.toBe(first);
  expect(later.findByText(second)?.id).toBe(book.findByText(first)?.id);
  expect(later.sources.client.find(keyHash(first))).toBeUndefined();
  expect(later.get(entry.id)?.uses).toBe(1);
});

test("a key that was used is not handed out again, and one that was revoked is not either", async () => {
  const { book, desk, deskOf, token, restarted } = setUp();
  const used = token();
  const key = credentialOf(await desk.trade(ask(used.text), undefined));
  const record = book.sources.client.find(keyHash(key));
  if (record) book.sources.client.used?.(record);
  expect(refusalOf(await desk.trade(ask(used.text), undefined))).toBe("join_token_used_up");
  expect(refusalOf(await deskOf(restarted()).trade(ask(used.text), undefined))).toBe("join_token_used_up");
  const revoked = token();
  const other = book.findByText(credentialOf(await desk.trade(ask(revoked.text), undefined)));
  book.revoke(other?.id ?? "", BY);
  expect(refusalOf(await desk.trade(ask(revoked.text), undefined))).toBe("join_token_used_up");
});

/** Notes that a key was used, as the door for workers does. */
function use(book: KeyBook, text: string): void {
  const record = book.sources.client.find(keyHash(text));
  if (record) book.sources.client.used?.(record);
}

test("a worker that joins again ends its former key by using the new one, and not before", async () => {
  const replaced: ReplacedNote[] = [];
  const { book, desk, token } = setUp({ onReplaced: (note) => void replaced.push(note) });
  const former = credentialOf(await desk.trade(ask(token().text), undefined));
  const formerKey = book.findByText(former);
  const request = ask(token().text, { proof: "proof-2", previousOwner: `made:${formerKey?.id}` });
  const lost = credentialOf(await desk.trade(request, undefined));
  // The answer was lost: the worker asks again, and its former key works all the while.
  const again = credentialOf(await desk.trade(request, undefined));
  expect(again).toBe(lost);
  use(book, former);
  expect(book.sources.client.find(keyHash(former))).toBeDefined();
  use(book, again);
  await Bun.sleep(0);
  expect(book.get(formerKey?.id ?? "")).toMatchObject({ revokedBy: `key:${book.findByText(again)?.id}` });
  expect(replaced).toMatchObject([{ former: { id: formerKey?.id }, key: { id: book.findByText(again)?.id } }]);
});

test("no key ends that an operator made, that belongs to another worker, or whose worker has not shown it", async () => {
  const { book, desk, token } = setUp();
  const operators = book.create({ kind: "worker", terms: { name: "w", limits: {} } }, BY);
  const others = book.findByText(credentialOf(await desk.trade(ask(token().text, { workerId: "other" }), undefined)));
  const own = book.findByText(credentialOf(await desk.trade(ask(token().text), undefined)));
  for (const previousOwner of [`made:${operators.entry.id}`, `made:${others?.id}`, "client-key:1", undefined]) {
    const request = ask(token().text, { proof: `${previousOwner}`, previousOwner });
    use(book, credentialOf(await desk.trade(request, undefined)));
  }
  await Bun.sleep(0);
  for (const id of [operators.entry.id, others?.id, own?.id]) expect(book.get(id ?? "")?.revokedAt).toBeUndefined();
});

test("a former key that could not be ended is ended at a later use of the new one", async () => {
  let isAway = true;
  const { clock, book, desk, token } = setUp({
    writer: () => {
      const writer = new KeyWriter({ book, clock });
      return {
        create: writer.create.bind(writer),
        rotate: writer.rotate.bind(writer),
        amend: writer.amend.bind(writer),
        revoke: (...given) => (isAway ? Promise.reject(new Fault("keys_unavailable")) : writer.revoke(...given)),
      };
    },
  });
  const former = book.findByText(credentialOf(await desk.trade(ask(token().text), undefined)));
  const request = ask(token().text, { proof: "proof-2", previousOwner: `made:${former?.id}` });
  const key = credentialOf(await desk.trade(request, undefined));
  use(book, key);
  await Bun.sleep(0);
  expect(book.get(former?.id ?? "")?.revokedAt).toBeUndefined();
  isAway = false;
  clock.advance(60_000);
  use(book, key);
  await Bun.sleep(0);
  expect(book.get(former?.id ?? "")?.revokedAt).toBe(clock.now());
});

test("a trade makes one key, however often its secret was replaced before the worker asks again", async () => {
  const { book, desk, deskOf, token, restarted } = setUp();
  const { text } = token();
  const key = book.findByText(credentialOf(await desk.trade(ask(text), undefined)));
  // More rotations than former secrets are remembered, so the request that created the key is not known any more.
  for (let count = 0; count < 6; count += 1) book.rotate(key?.id ?? "", 0, BY);
  const later = restarted();
  const again = credentialOf(await deskOf(later).trade(ask(text), undefined));
  expect(later.findByText(again)?.id).toBe(key?.id);
  expect(later.list().filter(({ kind }) => kind === "worker")).toHaveLength(1);
});

test("a key that a trade has made was last used then, which costs the worker no repetition of the trade", async () => {
  const { clock, book, desk, token } = setUp();
  const { text } = token();
  const key = book.findByText(credentialOf(await desk.trade(ask(text), undefined)));
  if (!key) throw new Error("there is no key");
  clock.advance(5000);
  expect(keyJson(key, [], clock.now()).last_used_at).toBe(new Date(key.createdAt).toISOString());
  credentialOf(await desk.trade(ask(text), undefined));
  const made = book.create({ kind: "worker", terms: { name: "w", limits: {} } }, BY).entry;
  expect(keyJson(made, [], clock.now()).last_used_at).toBeNull();
});

test("a use that was counted before the server was killed serves the same worker, and no other", async () => {
  const { book, deskOf, token, restarted } = setUp();
  const { text, entry } = token();
  const trade = keyHash(JSON.stringify([entry.id, "proof-1"]));
  book.amend(entry.id, { uses: 1, trades: [trade] });
  const desk = deskOf(restarted());
  expect(refusalOf(await desk.trade(ask(text, { proof: "another" }), undefined))).toBe("join_token_used_up");
  credentialOf(await desk.trade(ask(text), undefined));
});

test("an id of another owner costs no use, and a trade is not repeated for another id", async () => {
  const { book, desk, token } = setUp();
  const { text, entry } = token();
  expect(refusalOf(await desk.trade(ask(text, { mayHaveId: () => false }), undefined))).toBe("id_in_use");
  expect(book.get(entry.id)?.uses ?? 0).toBe(0);
  credentialOf(await desk.trade(ask(text), undefined));
  expect(refusalOf(await desk.trade(ask(text, { workerId: "other" }), undefined))).toBe("id_in_use");
});

test("a worker whose callers have no tenants costs a token for certain tenants no use", async () => {
  const { book, desk, token } = setUp();
  const { text } = token({ tenants: ["research"] });
  const relay = ask(text, { knowsTenants: false });
  expect(refusalOf(await desk.trade(relay, undefined))).toBe("tenants_not_known");
  expect(book.list().map(({ kind, uses }) => [kind, uses])).toEqual([["join", undefined]]);
  const secret = book.findByText(credentialOf(await desk.trade(ask(text), undefined)))?.secret;
  expect(refusalOf(await desk.trade(relay, undefined))).toBe("tenants_not_known");
  expect(book.list().find(({ kind }) => kind === "worker")?.secret).toEqual(secret);
  credentialOf(await desk.trade(ask(token().text, { knowsTenants: false, workerId: "relay" }), undefined));
});

test("while uses cannot be counted, nobody is let in, and nothing is spent", async () => {
  const amend = (): Promise<never> => Promise.reject(new Fault("keys_unavailable"));
  const { clock, book, deskOf, token } = setUp();
  const away = new KeyWriter({ book, clock });
  const { text } = token();
  const cut = new JoinDesk({
    book,
    writer: () => ({
      create: away.create.bind(away),
      rotate: away.rotate.bind(away),
      revoke: away.revoke.bind(away),
      amend,
    }),
    clock,
    log: silentLog,
    isKept: () => true,
  });
  expect(refusalOf(await cut.trade(ask(text), undefined))).toBe("join_unavailable");
  expect(book.list().map(({ kind }) => kind)).toEqual(["join"]);
  credentialOf(await deskOf(book).trade(ask(text), undefined));
});

test("while the store cannot be written, no token is traded, because a restart would lose the key", async () => {
  const { book, desk, token } = setUp({ isFailing: () => true });
  expect(refusalOf(await desk.trade(ask(token().text), undefined))).toBe("join_unavailable");
  expect(book.list().map(({ kind, uses }) => [kind, uses])).toEqual([["join", undefined]]);
});

test("a server that keeps no keys trades no token", async () => {
  const { desk, token } = setUp({ isKept: () => false });
  expect(refusalOf(await desk.trade(ask(token().text), undefined))).toBe("join_token_unknown");
});

test("however workers ask, at once and again and over restarts, a token makes one key for each of them and no more than it may", async () => {
  const askings = fc.array(fc.record({ worker: fc.nat(5), isRestart: fc.boolean() }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), askings, async (maxUses, list) => {
      const { deskOf, token, restarted } = setUp();
      const { text, entry } = token({ maxUses });
      let book = restarted();
      let desk = deskOf(book);
      let flying: Promise<unknown>[] = [];
      const keysOf = new Map<number, Set<string>>();
      for (const { worker, isRestart } of list) {
        if (isRestart) {
          await Promise.all(flying);
          flying = [];
          book = restarted();
          desk = deskOf(book);
        }
        const request = ask(text, { proof: `proof-${worker}`, workerId: `w-${worker}` });
        const at = book;
        flying.push(
          desk.trade(request, undefined).then((joined) => {
            if (!joined.ok) return expect(joined.refusal).toBe("join_token_used_up");
            const ids = keysOf.get(worker) ?? new Set();
            keysOf.set(worker, ids.add(at.findByText(joined.credential)?.id ?? ""));
          }),
        );
      }
      await Promise.all(flying);
      const keys = book.list().filter(({ kind }: KeyEntry) => kind === "worker");
      const askers = new Set(list.map(({ worker }) => worker)).size;
      expect(keys).toHaveLength(Math.min(maxUses, askers));
      expect(book.get(entry.id)?.uses ?? 0).toBe(keys.length);
      for (const ids of keysOf.values()) expect(ids.size).toBe(1);
      expect(keysOf.size).toBe(keys.length);
    }),
    { numRuns: 200 },
  );
});
