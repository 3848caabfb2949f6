import { describe, expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import type { AccessLists } from "../../../src/auth/gates.ts";
import { Fault } from "../../../src/errors.ts";
import { act, admit, askApi, askTransfer, doorsOf, issueTryToken, readState, signIn } from "../../support/doors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const NONE: AccessLists = {
  apiKeys: [],
  clientKeys: [],
  adminKeys: [],
  apiRoles: [],
  clientRoles: [],
  adminRoles: [],
};
const stranger = (): string => "203.0.113.9";
const proxy = (): string => "10.0.0.1";

const create = (lists: Partial<AccessLists>): Auth => doorsOf({ authFailuresPerMinute: 0, ...lists }, new FakeClock());

function request(headers: Record<string, string> = {}): Request {
  return new Request("http://server.test/x", { headers });
}
const withKey = (key: string): Request => request({ authorization: `Bearer ${key}` });

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "let in";
}

describe("a reload", () => {
  test("lets in added keys and refuses removed ones, of each kind, and counts both", () => {
    const auth = create({ apiKeys: ["a1", "a2"], clientKeys: ["c1"], adminKeys: ["m1"] });
    const next = { ...NONE, apiKeys: ["a2", "a3", "a4"], clientKeys: ["c1", "c2"], adminKeys: ["m2"] };
    expect(auth.reload(next)).toMatchObject({
      ok: true,
      changes: {
        apiKeys: { added: 2, removed: 1 },
        clientKeys: { added: 1, removed: 0 },
        adminKeys: { added: 1, removed: 1 },
      },
    });
    expect(["a1", "a2", "a3"].map((key) => codeOf(() => askApi(auth, withKey(key), stranger)))).toEqual([
      "invalid_api_key",
      "let in",
      "let in",
    ]);
    expect(["c1", "c2", "a1"].map((key) => codeOf(() => askTransfer(auth, withKey(key), stranger)))).toEqual([
      "let in",
      "let in",
      "invalid_api_key",
    ]);
    expect(["m1", "m2"].map((key) => codeOf(() => act(auth, withKey(key), stranger)))).toEqual([
      "invalid_api_key",
      "let in",
    ]);
    expect(["c2", "c3"].map((key) => admit(auth, request(), stranger, key).ok)).toEqual([true, false]);
  });

  test("takes over roles", () => {
    const auth = create({ apiRoles: ["reader"], clientRoles: ["gpu"] });
    auth.reload({ ...NONE, apiRoles: ["writer"], clientRoles: ["gpu"] });
    const role = (name: string) => codeOf(() => askApi(auth, request({ "x-user-roles": name }), proxy));
    expect([role("reader"), role("writer")]).toEqual(["invalid_api_key", "let in"]);
  });

  test("ends sign-ins, try tokens and state streams of a removed key, and no others", () => {
    const auth = create({ apiKeys: ["a"], adminKeys: ["gone", "kept"] });
    const holders = ["gone", "kept"].map((key) => {
      const cookie = request({ cookie: signIn(auth, request(), stranger, key).split(";")[0] ?? "" });
      const access = [cookie, withKey(key)].map((each) => readState(auth, each, stranger));
      const tokens = [cookie, withKey(key)].map((each) => issueTryToken(auth, each, stranger) ?? "");
      return { cookie, access, tokens };
    });
    auth.reload({ ...NONE, apiKeys: ["a"], adminKeys: ["kept"] });
    const left = holders.map(({ cookie, access, tokens }) => ({
      cookie: codeOf(() => readState(auth, cookie, stranger)),
      access: access.map((each) => each.isCurrent()),
      tokens: tokens.map((token) => codeOf(() => askApi(auth, withKey(token), stranger))),
    }));
    expect(left).toEqual([
      { cookie: "invalid_api_key", access: [false, false], tokens: ["invalid_api_key", "invalid_api_key"] },
      { cookie: "let in", access: [true, true], tokens: ["let in", "let in"] },
    ]);
  });

  test("that adds the first admin key takes the dashboard away from API keys, sign-ins included", () => {
    const auth = create({ apiKeys: ["a"] });
    const cookie = request({ cookie: signIn(auth, request(), stranger, "a").split(";")[0] ?? "" });
    auth.reload({ ...NONE, apiKeys: ["a"], adminKeys: ["m"] });
    expect([withKey("a"), cookie, withKey("m")].map((each) => codeOf(() => readState(auth, each, stranger)))).toEqual([
      "invalid_api_key",
      "invalid_api_key",
      "let in",
    ]);
    expect([auth.signIns.keyKind, auth.hasAdmins]).toEqual(["admin", true]);
  });

  test("closes an open server, whose readers lose their access", () => {
    const auth = create({});
    const access = readState(auth, request(), stranger);
    expect(auth.reload({ ...NONE, apiKeys: ["a"], clientKeys: ["c"] }).ok).toBe(true);
    expect(access.isCurrent()).toBe(false);
    expect([auth.isClientOpen, auth.isWorkerOpen]).toEqual([false, false]);
    expect(codeOf(() => askApi(auth, request(), stranger))).toBe("invalid_api_key");
    expect(auth.workers.isOwner("open")).toBe(false);
  });

  test("that would let anybody in changes nothing", () => {
    const auth = create({ apiKeys: ["a"], clientKeys: ["c"] });
    expect(auth.reload({ ...NONE, clientKeys: ["c"] })).toEqual({ ok: false, opened: "clients" });
    expect(auth.reload({ ...NONE, apiKeys: ["b"] })).toEqual({ ok: false, opened: "workers" });
    expect(["a", "b"].map((key) => codeOf(() => askApi(auth, withKey(key), stranger)))).toEqual([
      "let in",
      "invalid_api_key",
    ]);
  });

  test("that takes the last admin key changes nothing", () => {
    const auth = create({ apiKeys: ["a"], adminKeys: ["m"] });
    expect(auth.reload({ ...NONE, apiKeys: ["a"] })).toEqual({ ok: false, opened: "operators" });
    expect(["a", "m"].map((key) => codeOf(() => act(auth, withKey(key), stranger)))).toEqual([
      "invalid_api_key",
      "let in",
    ]);
    expect(auth.reload({ ...NONE, apiKeys: ["a"], adminRoles: ["operator"] }).ok).toBe(true);
  });
});
