import { describe, expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import { Fault } from "../../../src/errors.ts";
import type { Config } from "../../support/default-config.ts";
import { act, admit, askApi, askTransfer, doorsOf, issueTryToken, readState, signIn } from "../../support/doors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const CROSS_SITE = { "sec-fetch-site": "cross-site", origin: "https://evil.test" };
const proxy = (): string => "10.0.0.1";
const stranger = (): string => "203.0.113.9";

function create(overrides: Partial<Config>): { readonly auth: Auth; readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { auth: doorsOf(overrides, clock), clock };
}

function request(headers: Record<string, string> = {}): Request {
  return new Request("http://server.test/x", { headers });
}

function signInTo(auth: Auth): { readonly cookie: string } {
  return { cookie: signIn(auth, request(), stranger, "api").split(";")[0] ?? "" };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "let in";
}

describe("an operator's request", () => {
  test("is accepted with a key, a role or a sign-in", () => {
    const { auth } = create({ apiKeys: ["api"], apiRoles: ["admin"] });
    expect(codeOf(() => act(auth, request({ "x-api-key": "api" }), stranger))).toBe("let in");
    expect(codeOf(() => act(auth, request({ "x-user-roles": "admin" }), proxy))).toBe("let in");
    expect(codeOf(() => act(auth, request(signInTo(auth)), stranger))).toBe("let in");
    expect(codeOf(() => act(auth, request(), stranger))).toBe("invalid_api_key");
    expect(codeOf(() => act(auth, request({ "x-api-key": "no" }), stranger))).toBe("invalid_api_key");
  });

  test("with a key is accepted from any page, since no page can make a browser send one", () => {
    const { auth } = create({ apiKeys: ["api"] });
    const fromPage = request({ ...CROSS_SITE, authorization: "Bearer api" });
    expect(codeOf(() => act(auth, fromPage, stranger))).toBe("let in");
  });

  test.each([
    ["none", {}],
    ["a made-up one", { authorization: "Bearer made-up" }],
    ["a made-up one in a header of its own", { "x-api-key": "made-up" }],
  ])("is refused from a page of another site without a key of its own, with a key that is %s", (_key, key) => {
    const open = create({}).auth;
    expect(codeOf(() => act(open, request({ ...CROSS_SITE, ...key }), stranger))).toBe("origin_not_allowed");
    expect(codeOf(() => issueTryToken(open, request({ ...CROSS_SITE, ...key }), stranger))).toBe("origin_not_allowed");

    const { auth } = create({ apiKeys: ["api"], apiRoles: ["admin"] });
    const behindProxy = request({ ...CROSS_SITE, ...key, "x-user-roles": "admin" });
    expect(codeOf(() => act(auth, behindProxy, proxy))).toBe("origin_not_allowed");
    const signedIn = request({ ...CROSS_SITE, ...key, ...signInTo(auth) });
    expect(codeOf(() => act(auth, signedIn, stranger))).toBe("origin_not_allowed");
  });

  test("with a right key is let in from any page, after any number of wrong ones", () => {
    const { auth } = create({ apiKeys: ["api"] });
    const guess = (key: string): string =>
      codeOf(() => act(auth, request({ ...CROSS_SITE, authorization: `Bearer ${key}` }), stranger));
    expect(["no", "no", "no"].map(guess)).toEqual(["invalid_api_key", "invalid_api_key", "invalid_api_key"]);
    expect([guess("no"), guess("api")]).toEqual(["too_many_auth_failures", "let in"]);
  });
});

describe("a token to try the API with", () => {
  const tokenOf = (auth: Auth, headers: Record<string, string>, address = stranger): string =>
    issueTryToken(auth, request(headers), address) ?? "none";

  test("expires with its sign-in", () => {
    const { auth, clock } = create({ apiKeys: ["api"] });
    const cookie = signInTo(auth);
    clock.advance(12 * 3_600_000 - 1000);
    const bearer = request({ authorization: `Bearer ${tokenOf(auth, cookie)}` });
    expect(codeOf(() => askApi(auth, bearer, stranger))).toBe("let in");
    clock.advance(1000);
    expect(codeOf(() => askApi(auth, bearer, stranger))).toBe("invalid_api_key");
  });

  test("is issued to holders of a key or a role, and accepted wherever their key would be", () => {
    const { auth } = create({ apiKeys: ["api"], apiRoles: ["admin"] });
    const tokens = [tokenOf(auth, { "api-key": "api" }), tokenOf(auth, { "x-user-roles": "admin" }, proxy)];
    for (const token of tokens) {
      expect(codeOf(() => askApi(auth, request({ authorization: `Bearer ${token}` }), stranger))).toBe("let in");
      expect(codeOf(() => askTransfer(auth, request({ "x-api-key": token }), stranger))).toBe("let in");
    }
  });

  test("is issued if only transfers need a key, unless the operator needed none", () => {
    const { auth } = create({ adminKeys: ["admin"], clientKeys: ["client"] });
    const token = tokenOf(auth, { "x-api-key": "admin" });
    expect(codeOf(() => askTransfer(auth, request({ "x-api-key": token }), stranger))).toBe("let in");
    expect(tokenOf(create({ clientKeys: ["client"] }).auth, {})).toBe("none");
  });

  test("gives no access to state, actions, tokens, sign-ins or worker routes", () => {
    const { auth } = create({ apiKeys: ["api"], clientKeys: ["client"], authFailuresPerMinute: 0 });
    const token = tokenOf(auth, signInTo(auth));
    const bearer = request({ authorization: `Bearer ${token}` });
    expect(codeOf(() => readState(auth, bearer, stranger))).toBe("invalid_api_key");
    expect(codeOf(() => act(auth, bearer, stranger))).toBe("invalid_api_key");
    expect(codeOf(() => issueTryToken(auth, bearer, stranger))).toBe("invalid_api_key");
    expect(codeOf(() => signIn(auth, request(), stranger, token))).toBe("invalid_api_key");
    expect(admit(auth, bearer, stranger, token).ok).toBe(false);
  });
});
