import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { oidcOwner } from "../../src/auth/oidc-roles.ts";
import { SignIns } from "../../src/auth/sign-ins.ts";
import { SignOuts } from "../../src/auth/sign-outs.ts";
import { TokenKeys } from "../../src/auth/token-keys.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { createLog } from "../../src/system/log.ts";
import type { Config } from "../support/default-config.ts";
import { MockIssuer, OIDC_CLIENT } from "../support/mock-issuer.ts";
import { callBack, comeBack, cookieIn, problemIn, signInBy } from "../support/oidc-client.ts";
import { TestServer } from "../support/test-server.ts";

let issuer: MockIssuer;
let server: TestServer;
const lines: string[] = [];
const log = createLog({ level: "debug", format: "json", now: Date.now, write: (line) => void lines.push(line) });

beforeEach(async () => {
  issuer = await MockIssuer.start();
});
afterEach(async () => {
  await server.stop();
  await issuer.stop();
  lines.splice(0);
});

function start(overrides: Partial<Config> = {}): TestServer {
  server = new TestServer({ authFailuresPerMinute: 0, ...issuer.settings, ...overrides }, { log });
  return server;
}

/** Expects that nobody is signed in, and returns the reason that the log gives. */
async function refusalOf(answer: Response, status: number): Promise<unknown> {
  expect(answer.status).toBe(status);
  expect(cookieIn(answer, "moorage_session")).toBe("");
  expect(await problemIn(answer)).not.toBe("");
  const failed = lines.findLast((line) => line.includes('"oidc.failed"')) ?? "{}";
  return (JSON.parse(failed) as { reason?: unknown }).reason; // a line of the log
}

const now = (): number => Math.floor(Date.now() / 1000);

describe("an answer of the issuer", () => {
  const WRONG: readonly [string, Partial<MockIssuer>, number, string][] = [
    ["with another nonce", { idToken: { nonce: "other" } }, 502, "invalid"],
    ["without a nonce", { idToken: { nonce: undefined } }, 502, "invalid"],
    ["for another client", { idToken: { aud: "other" } }, 502, "invalid"],
    ["for several clients", { idToken: { aud: ["moorage", "other"], azp: "other" } }, 502, "invalid"],
    ["of another issuer", { idToken: { iss: "https://evil.test" } }, 502, "invalid"],
    ["that has expired", { idToken: { exp: now() - 60 } }, 502, "wrong_times"],
    ["that is not valid yet", { idToken: { nbf: now() + 60 } }, 502, "wrong_times"],
    ["without an end", { idToken: { exp: undefined } }, 502, "invalid"],
    ["without a user", { idToken: { sub: undefined } }, 502, "invalid"],
    ["without a signature", { signing: "none" }, 502, "invalid"],
    ["signed with a key that is not the issuer's", { signing: "unpublished" }, 502, "invalid"],
    ["signed with the client's secret", { signing: "secret" }, 502, "invalid"],
    ["whose callback names another issuer", { callback: { iss: "https://evil.test" } }, 502, "invalid"],
    ["with another state", { callback: { state: "other" } }, 400, "not_begun"],
    ["without a state", { callback: { state: undefined } }, 400, "not_begun"],
    ["with a made-up code", { callback: { code: "made-up" } }, 400, "used_code"],
    ["that says no", { callback: { error: "access_denied", code: undefined } }, 403, "declined"],
  ];

  test.each(WRONG)("%s signs nobody in", async (_, spoil, status, reason) => {
    start();
    Object.assign(issuer, spoil);
    expect(await refusalOf(await callBack(await comeBack(server.url)), status)).toBe(reason);
  });

  test("without a signature signs nobody in, even if the issuer lists that", async () => {
    issuer.metadata = { id_token_signing_alg_values_supported: ["RS256", "none", "HS256"] };
    start();
    for (const signing of ["none", "secret"] as const) {
      issuer.signing = signing;
      expect(await refusalOf(await callBack(await comeBack(server.url)), 502)).toBe("invalid");
    }
  });

  test("with another code verifier signs nobody in", async () => {
    start();
    // The code of one sign-in and the state and cookie of another.
    const [first, second] = [await comeBack(server.url), await comeBack(server.url)];
    const callback = new URL(second.callback);
    callback.searchParams.set("code", new URL(first.callback).searchParams.get("code") ?? "");
    expect(await refusalOf(await callBack({ ...second, callback: callback.href }), 400)).toBe("used_code");
  });

  test("counts once", async () => {
    start();
    const returned = await comeBack(server.url);
    const first = await callBack(returned);
    expect(cookieIn(first, "moorage_session")).not.toBe("");
    expect(first.headers.getSetCookie().some((each) => /^moorage_oidc=;.*Max-Age=0/.test(each))).toBe(true);
    expect(await refusalOf(await callBack({ ...returned, cookie: "" }), 400)).toBe("not_begun");
    expect(await refusalOf(await callBack(returned), 400)).toBe("used_code");
  });

  test("for another browser signs nobody in", async () => {
    start();
    const [own, foreign] = [await comeBack(server.url), await comeBack(server.url)];
    expect(await refusalOf(await callBack({ ...foreign, cookie: own.cookie }), 400)).toBe("not_begun");
    expect(await refusalOf(await callBack({ ...foreign, cookie: "" }), 400)).toBe("not_begun");
    const asked = issuer.requests.filter((path) => path === "/token");
    expect(asked).toEqual([]);
  });

  test("is accepted within half a minute of clocks that differ", async () => {
    start();
    issuer.idToken = { exp: now() - 10 };
    expect(await signInBy(server.url)).not.toBe("");
  });

  test("with new signing keys is accepted at once, and with withdrawn ones no more", async () => {
    start();
    expect(await signInBy(server.url)).not.toBe("");
    await issuer.rotateKey();
    expect(await signInBy(server.url)).not.toBe("");
    issuer.signing = "unpublished";
    expect(await signInBy(server.url)).toBe("");
  });
});

describe("a user's claims", () => {
  test.each([
    { sub: "u-1", groups: ["others"] },
    { sub: "u-1", groups: "gpu-admins-not" },
    { sub: "u-1" },
    { sub: "u-1", groups: { "gpu-admins": true } },
    { sub: "u-1", groups: ["GPU-ADMINS", "gpu-admins "] },
  ])("without a role sign nobody in: %j", async (user) => {
    issuer.user = user;
    start();
    expect(await refusalOf(await callBack(await comeBack(server.url)), 403)).toBe("no_role");
  });

  test("of another user at the userinfo endpoint do not count", async () => {
    issuer.user = { sub: "u-1" };
    issuer.userInfo = { sub: "u-2", groups: ["gpu-admins"] };
    start();
    expect(await refusalOf(await callBack(await comeBack(server.url)), 502)).toBe("invalid");
  });
});

describe("an issuer for many tenants", () => {
  test("whose description names another issuer than the setting is not used", async () => {
    issuer.metadata = { issuer: "https://login.example.com/{tenantid}/v2.0" };
    start();
    const begun = await fetch(`${server.url}/state/oidc/sign-in`, { redirect: "manual" });
    expect(begun.status).toBe(503);
    expect(begun.headers.get("location")).toBeNull();
  });
});

describe("the server", () => {
  test("sends nothing to an address that a request names, and follows no redirect of the issuer", async () => {
    let reached = 0;
    const inner = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => {
        reached += 1;
        return new Response(null, { status: 404 });
      },
    });
    start();
    const target = `http://127.0.0.1:${inner.port}`;
    const returned = await comeBack(server.url, target);
    const callback = new URL(returned.callback);
    for (const name of ["iss", "issuer", "token_endpoint", "jwks_uri", "redirect_uri"])
      callback.searchParams.set(name, target);
    await (await callBack({ ...returned, callback: callback.href })).body?.cancel();
    issuer.instead = (request) =>
      request.method === "POST" ? new Response(null, { status: 307, headers: { location: target } }) : undefined;
    expect(await signInBy(server.url)).toBe("");
    expect(reached).toBe(0);
    await inner.stop(true);
  });

  test("reads no endless answer of the issuer", async () => {
    start();
    const returned = await comeBack(server.url);
    issuer.instead = () => new Response(new Uint8Array(2_000_000), { headers: { "content-type": "application/json" } });
    expect(await refusalOf(await callBack(returned), 503)).toBe("unreachable");
  });

  test("asks the issuer about few made-up codes of one address", async () => {
    start({ authFailuresPerMinute: 3 });
    issuer.callback = { code: "made-up" };
    for (let each = 0; each < 3; each += 1)
      expect(await refusalOf(await callBack(await comeBack(server.url)), 400)).toBe("used_code");
    const asked = issuer.requests.filter((path) => path === "/token").length;
    expect(await refusalOf(await callBack(await comeBack(server.url)), 503)).toBe("busy");
    expect(issuer.requests.filter((path) => path === "/token").length).toBe(asked);
  });

  test("leads to no other site after a sign-in", async () => {
    start();
    for (const to of [
      "https://evil.test/state",
      "//evil.test/state",
      "/\\evil.test",
      "/state/../../evil",
      "/state\\@evil.test",
    ]) {
      const page = await (await callBack(await comeBack(server.url, to))).text();
      expect([to, /http-equiv="refresh" content="([^"]*)"/.exec(page)?.[1]]).toEqual([to, "0;url=/state"]);
    }
  });

  test("writes no secret of a sign-in to its log, and shows none", async () => {
    start();
    const returned = await comeBack(server.url);
    const answer = await callBack(returned);
    const code = new URL(returned.callback).searchParams.get("code") ?? "none";
    const shown = `${lines.join("\n")}${await answer.text()}${await (await fetch(`${server.url}/metrics`)).text()}`;
    for (const secret of [OIDC_CLIENT.secret, "mock-access-token", code, returned.cookie])
      expect(shown).not.toContain(secret);
    expect(shown).toContain("oidc:ada@example.com");
  });
});

describe("a sign-in cookie", () => {
  test("that somebody has made with the keys of the API does not count", async () => {
    const { url, config } = start();
    const keys = new TokenKeys({ clock: systemClock });
    keys.derive(config.apiKeys, () => true);
    const signIns = new SignIns({
      clock: systemClock,
      ids: systemIds,
      keys,
      signOuts: new SignOuts({ clock: systemClock }),
    });
    const owner = oidcOwner(config) ?? "";
    const forged = signIns.begin({ name: "oidc:eve", owner }, false).split(";")[0] ?? "";
    expect((await fetch(`${url}/api/state`, { headers: { cookie: forged } })).status).toBe(401);
    // The same with the secret of the client, which shows that the rest of the cookie is right.
    keys.derive([`oidc ${OIDC_CLIENT.secret}`], () => true);
    const sealed = signIns.begin({ name: "oidc:eve", owner }, false).split(";")[0] ?? "";
    expect((await fetch(`${url}/api/state`, { headers: { cookie: sealed } })).status).toBe(200);
  });

  test("ends when the issuer, the client or a claim in the settings changes", async () => {
    const cookie = await signInBy(start().url);
    const changes: readonly Partial<Config>[] = [
      { oidcClientId: "other" },
      { oidcAdminClaims: [{ claim: "groups", value: "other" }] },
      { oidcViewerClaims: [] },
      { oidcIssuer: `${issuer.url}/other` },
    ];
    for (const change of [{}, ...changes]) {
      const other = new TestServer({ ...issuer.settings, ...change });
      const { status } = await fetch(`${other.url}/api/state`, { headers: { cookie } });
      expect([change, status]).toEqual([change, Object.keys(change).length === 0 ? 200 : 401]);
      await other.stop();
    }
  });
});

test("only one file of the server knows the client of OpenID Connect, and one loads that file", async () => {
  const folder = join(import.meta.dir, "../../src");
  const knows: string[] = [];
  for (const path of new Bun.Glob("**/*.ts").scanSync(folder)) {
    const source = await Bun.file(join(folder, path)).text();
    if (/from "openid-client"|import\("openid-client"\)/.test(source)) knows.push(path);
    if (source.includes('oidc/issuer.ts"')) knows.push(`${path} loads it`);
  }
  expect(knows.sort()).toEqual(["oidc/issuer.ts", "serve.ts loads it"]);
});
