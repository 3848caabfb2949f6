import { expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import { sha256 } from "../../../src/auth/keys.ts";
import { TokenKeys } from "../../../src/auth/token-keys.ts";
import { type ErrorCode, Fault } from "../../../src/errors.ts";
import { KeyBook, type MadeKey } from "../../../src/keys/key-book.ts";
import type { KeyKind } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import type { KeysStanding } from "../../../src/keys/shared-keys.ts";
import type { Config } from "../../support/default-config.ts";
import { act, admit, askApi, askTransfer, doorsOf, issueTryToken, readState, signIn } from "../../support/doors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const stranger = (): string => "203.0.113.9";

interface Rig {
  readonly auth: Auth;
  readonly book: KeyBook;
  readonly clock: FakeClock;
  make(kind: KeyKind, terms?: Partial<KeyTerms>): MadeKey;
}

/** Three wrong keys a minute are allowed. */
function create(
  overrides: Partial<Config> = {},
  requires: readonly KeyKind[] = [],
  standing?: () => KeysStanding,
): Rig {
  const clock = new FakeClock();
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 10, requires, standing });
  const auth = doorsOf(overrides, clock, { made: book.sources });
  return {
    auth,
    book,
    clock,
    make(kind, terms = {}) {
      const made = book.create({ kind, terms: { name: kind, limits: {}, ...terms } }, BY);
      auth.refresh();
      return made;
    },
  };
}

function withKey(key: string, url = "https://server.test/x"): Request {
  return new Request(url, { headers: { authorization: `Bearer ${key}` } });
}

function codeOf(run: () => unknown): ErrorCode | "admitted" {
  try {
    run();
    return "admitted";
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

const ask = ({ auth }: Rig, key: string): ErrorCode | "admitted" => codeOf(() => askApi(auth, withKey(key), stranger));

test("made keys and listed keys open the same doors, and each names its caller", () => {
  const it = create({ apiKeys: ["one"] });
  const { entry, text } = it.make("client", { tenant: "research" });
  expect(askApi(it.auth, withKey("one"), stranger).name).toBe("api-key:1");
  expect(askApi(it.auth, withKey(text), stranger)).toMatchObject({ name: `key:${entry.id}`, tenant: "research" });
  expect(askTransfer(it.auth, withKey(text), stranger).keyId).toBe(entry.id);
});

test("a made key that the configuration lists as well keeps its terms, and is refused once it has ended", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const it = create({ apiKeys: ["one", secret] });
  const { entry, text } = it.make("client", { models: ["m"], expiresAt: it.clock.now() + 1000 });
  it.book.replaceFile([{ ...entry, id: "file:ci", source: "file", secret: { ...entry.secret, hash: sha256(secret) } }]);
  const caller = askApi(it.auth, withKey(secret), stranger);
  expect([caller.name, caller.may("m"), caller.may("other")]).toEqual(["file:ci", true, false]);
  expect(askApi(it.auth, withKey("one"), stranger).name).toBe("api-key:1");
  it.clock.advance(1000);
  expect([ask(it, secret), ask(it, text), ask(it, "one")]).toEqual(["key_expired", "key_expired", "admitted"]);
  it.book.replaceFile([]);
  expect(ask(it, secret)).toBe("admitted");
});

test("an expired, revoked or replaced key is refused with its own code, and is never a guess", () => {
  const it = create();
  const expired = it.make("client", { expiresAt: it.clock.now() + 1000 });
  const revoked = it.make("client");
  const replaced = it.make("client");
  it.book.revoke(revoked.entry.id, BY);
  it.book.rotate(replaced.entry.id, 1000, BY);
  it.clock.advance(1000);
  // Far more often than the limit on wrong keys allows.
  for (let count = 0; count < 10; count += 1) {
    expect(ask(it, expired.text)).toBe("key_expired");
    expect(ask(it, revoked.text)).toBe("key_revoked");
    expect(ask(it, replaced.text)).toBe("key_rotated");
  }
  expect(ask(it, "wrong")).toBe("invalid_api_key");
});

test("a mistyped key is told as such, and counts as a wrong key", () => {
  const it = create();
  const { text } = it.make("client");
  const typo = text.slice(0, -1);
  try {
    askApi(it.auth, withKey(typo), stranger);
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid_api_key", message: expect.stringContaining("mistyped or cut off") });
  }
  for (let count = 0; count < 3; count += 1) ask(it, typo);
  expect(ask(it, typo)).toBe("too_many_auth_failures");
  expect(ask(it, text)).toBe("admitted");
});

test("a valid key beside one that has ended lets the request in", () => {
  const it = create();
  const [revoked, valid] = [it.make("client"), it.make("client")];
  it.book.revoke(revoked.entry.id, BY);
  const request = withKey(revoked.text);
  request.headers.set("x-api-key", valid.text);
  expect(askApi(it.auth, request, stranger).keyId).toBe(valid.entry.id);
});

test("the first key that is made shuts a door that was open, and the last that ends does not open it", () => {
  const it = create();
  expect(it.auth.isOpen("api")).toBe(true);
  const { entry, text } = it.make("client");
  expect(it.auth.isOpen("api")).toBe(false);
  it.book.revoke(entry.id, BY);
  it.auth.refresh();
  expect(it.auth.isOpen("api")).toBe(false);
  expect(ask(it, text)).toBe("key_revoked");
});

test("a server that requires keys is shut before any is made", () => {
  const { auth } = create({}, ["client"]);
  expect(auth.isOpen("api")).toBe(false);
  expect(codeOf(() => askApi(auth, new Request("http://server.test/x"), stranger))).toBe("invalid_api_key");
});

test("a made key of a client never opens the dashboard, with or without other operators", () => {
  for (const config of [{}, { apiKeys: ["one"] }, { adminKeys: ["root"] }]) {
    const it = create(config);
    const { text } = it.make("client");
    expect(codeOf(() => readState(it.auth, withKey(text), stranger))).toBe("invalid_api_key");
    expect(codeOf(() => act(it.auth, withKey(text), stranger))).toBe("invalid_api_key");
    expect(codeOf(() => signIn(it.auth, withKey(text), stranger, text))).toBe("invalid_api_key");
    expect(codeOf(() => readState(it.auth, new Request("http://server.test/x"), stranger))).toBe("invalid_api_key");
    // It is no guess either: its holder has made a mistake.
    for (let count = 0; count < 10; count += 1) codeOf(() => act(it.auth, withKey(text), stranger));
    expect(codeOf(() => act(it.auth, withKey("wrong"), stranger))).toBe("invalid_api_key");
  }
});

test("listed keys of clients open the dashboard until there is an admin key, and never after that", () => {
  const it = create({ apiKeys: ["one"] });
  it.make("client");
  expect(codeOf(() => readState(it.auth, withKey("one"), stranger))).toBe("admitted");
  const admin = it.make("admin");
  expect(codeOf(() => readState(it.auth, withKey("one"), stranger))).toBe("invalid_api_key");
  expect(codeOf(() => act(it.auth, withKey(admin.text), stranger))).toBe("admitted");
  expect(it.auth.hasAdmins).toBe(true);
  it.book.revoke(admin.entry.id, BY);
  expect(codeOf(() => act(it.auth, withKey(admin.text), stranger))).toBe("key_revoked");
  expect(codeOf(() => act(it.auth, withKey("one"), stranger))).toBe("invalid_api_key");
});

test("a sign-in with a made admin key ends when the key is revoked", () => {
  const it = create();
  const { entry, text } = it.make("admin");
  const cookie = signIn(it.auth, withKey(text), stranger, text).split(";")[0] ?? "";
  const visit = (): Request => new Request("https://server.test/state", { headers: { cookie } });
  const access = readState(it.auth, visit(), stranger);
  expect([access.caller.name, access.isCurrent()]).toEqual([`key:${entry.id}`, true]);
  it.book.revoke(entry.id, BY);
  expect(access.isCurrent()).toBe(false);
  expect(codeOf(() => readState(it.auth, visit(), stranger))).toBe("invalid_api_key");
});

test("a sign-in ends with the secret of the admin key that it was begun with, and not before", () => {
  const it = create({ apiKeys: ["one"] });
  const { entry, text } = it.make("admin");
  const signedIn = (key: string) => {
    const cookie = signIn(it.auth, withKey(key), stranger, key).split(";")[0] ?? "";
    const visit = new Request("https://server.test/state", { headers: { cookie } });
    const token = issueTryToken(it.auth, visit, stranger) ?? "";
    return () => [codeOf(() => readState(it.auth, visit, stranger)), ask(it, token)];
  };
  const [first, stream] = [signedIn(text), readState(it.auth, withKey(text), stranger)];
  const { text: next } = it.book.rotate(entry.id, 1000, BY);
  const second = signedIn(next);
  expect([first(), second(), stream.isCurrent()]).toEqual([["admitted", "admitted"], ["admitted", "admitted"], true]);
  it.clock.advance(1000);
  expect(first()).toEqual(["invalid_api_key", "invalid_api_key"]);
  expect(stream.isCurrent()).toBe(false);
  expect(second()).toEqual(["admitted", "admitted"]);
});

test("anyone who knows the API keys cannot forge a sign-in or a try token of a made admin", () => {
  const it = create({ apiKeys: ["one"] });
  const { entry } = it.make("admin");
  for (const keys of [["one"], []]) {
    const forger = new TokenKeys({ clock: it.clock });
    forger.derive(keys, () => true);
    const content = { id: "x", name: "root", owner: `made:${entry.id}`, ends_at: it.clock.now() + 1000 };
    const cookie = `moorage_session=${forger.seal("sign-in", JSON.stringify(content))}`;
    const request = new Request("https://server.test/state", { headers: { cookie } });
    expect(codeOf(() => readState(it.auth, request, stranger))).toBe("invalid_api_key");
    expect(ask(it, `try-${forger.seal("try", JSON.stringify(content))}`)).toBe("invalid_api_key");
  }
});

test("a made admin gets a try token, which ends with the key", () => {
  const it = create({ apiKeys: ["one"] });
  const { entry, text } = it.make("admin");
  const token = issueTryToken(it.auth, withKey(text), stranger) ?? "";
  expect(askApi(it.auth, withKey(token), stranger).name).toBe("dashboard");
  it.book.revoke(entry.id, BY);
  expect(ask(it, token)).toBe("invalid_api_key");
});

test("a made worker key lets a worker in, and an ended one is no guess", () => {
  const it = create();
  const { entry, text } = it.make("worker");
  const request = new Request("http://server.test/x");
  expect(admit(it.auth, request, stranger, text)).toMatchObject({ ok: true, caller: `key:${entry.id}` });
  it.book.revoke(entry.id, BY);
  for (let count = 0; count < 10; count += 1)
    expect(admit(it.auth, request, stranger, text)).toEqual({ ok: false, refusal: "unauthorized" });
  expect(it.auth.isWorkerOpen).toBe(false);
});

test("a reload may take the last listed key where there are made ones", () => {
  const it = create({ apiKeys: ["one"] });
  const lists = { apiKeys: [], clientKeys: [], adminKeys: [], apiRoles: [], clientRoles: [], adminRoles: [] };
  expect(it.auth.reload(lists)).toEqual({ ok: false, opened: "clients" });
  const { text } = it.make("client");
  expect(it.auth.reload(lists).ok).toBe(true);
  expect([ask(it, "one"), ask(it, text)]).toEqual(["invalid_api_key", "admitted"]);
});

const UNREAD: KeysStanding = { kind: "away", since: 0, until: Number.MAX_SAFE_INTEGER, isUnread: true };

test("until it is known which keys there are, nobody without a key is let in, and API keys only show the state", () => {
  let standing: KeysStanding = UNREAD;
  const open = create({}, [], () => standing);
  expect(codeOf(() => askApi(open.auth, new Request("https://server.test/x"), stranger))).toBe("invalid_api_key");
  expect(admit(open.auth, new Request("https://server.test/x"), stranger).ok).toBe(false);
  const it = create({ apiKeys: ["one"] }, [], () => standing);
  expect(readState(it.auth, withKey("one"), stranger).mayAct).toBe(false);
  expect(codeOf(() => act(it.auth, withKey("one"), stranger))).toBe("viewer_not_allowed");
  expect(codeOf(() => readState(it.auth, withKey("other"), stranger))).toBe("invalid_api_key");
  const listed = create({ apiKeys: ["one"], adminKeys: ["two"] }, [], () => standing);
  expect(codeOf(() => act(listed.auth, withKey("two"), stranger))).toBe("admitted");
  expect(codeOf(() => readState(listed.auth, withKey("one"), stranger))).toBe("invalid_api_key");
  standing = { kind: "current" };
  for (const { auth } of [open, it]) auth.refresh();
  expect(codeOf(() => act(it.auth, withKey("one"), stranger))).toBe("admitted");
  expect(codeOf(() => askApi(open.auth, new Request("https://server.test/x"), stranger))).toBe("admitted");
});

test("a key that nobody can judge now is refused with 503, and counts neither as a guess nor as a failure", () => {
  const it = create({ apiKeys: ["one"] }, [], () => UNREAD);
  const other = create();
  const { text } = other.make("client");
  for (let count = 0; count < 10; count += 1) expect(ask(it, text)).toBe("key_not_confirmed");
  expect(ask(it, "wrong")).toBe("invalid_api_key");
  try {
    askApi(it.auth, withKey(text), stranger);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect([error.status, error.retryAfterS, error.headers]).toEqual([503, 5, {}]);
  }
});
