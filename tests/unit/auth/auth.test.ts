import { describe, expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import type { AuthSurface } from "../../../src/auth/caller.ts";
import { TokenKeys } from "../../../src/auth/token-keys.ts";
import { Fault } from "../../../src/errors.ts";
import type { Clock } from "../../../src/system/deps.ts";
import type { Config } from "../../support/default-config.ts";
import {
  admit as admitWorker,
  askApi,
  askTransfer,
  doorsOf,
  readState,
  signIn as signInAs,
  signOut,
  visit,
} from "../../support/doors.ts";

/** A clock that a test sets, and whose timers never fire: auth uses them only to sum up log lines. */
class StillClock implements Clock {
  at = 1000;
  now = (): number => this.at;
  elapsed = (): number => this.at;
  after = () => () => {};
  every = (): never => {
    throw new Error("no timers here");
  };
}

interface Fixture {
  readonly auth: Auth;
  readonly clock: StillClock;
  readonly failed: AuthSurface[];
}

function create(overrides: Partial<Config>): Fixture {
  const clock = new StillClock();
  const failed: AuthSurface[] = [];
  const auth = doorsOf(overrides, clock, { onFailure: (surface) => failed.push(surface) });
  return { auth, clock, failed };
}

function request(headers: Record<string, string> = {}, url = "http://server.test/x"): Request {
  return new Request(url, { headers });
}

/** A row of `test.each` whose name fits one line. */
function named(headers: Record<string, string | undefined>): [string, Record<string, string>] {
  return [JSON.stringify(headers), JSON.parse(JSON.stringify(headers))];
}

const from = (address: string) => () => address;
const stranger = from("203.0.113.9");

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("it was let in");
}

describe("an API key", () => {
  const { auth } = create({ apiKeys: ["one", "two"], authFailuresPerMinute: 0 });

  test.each(
    [
      { authorization: "Bearer one" },
      { authorization: "bearer two" },
      { authorization: "BEARER  one " },
      { "x-api-key": "two" },
      { "api-key": "one" },
      { authorization: "Basic abc", "x-api-key": "one" },
    ].map(named),
  )("is read from %s", (_name, headers) => {
    expect(() => askApi(auth, request(headers), stranger)).not.toThrow();
  });

  test.each(
    [
      {},
      { authorization: "one" },
      { authorization: "Basic one" },
      { authorization: "Bearer" },
      { authorization: "Bearer onetwo" },
      { authorization: "Bearer on" },
      { "x-api-key": "" },
      { cookie: "moorage_session=one" },
    ].map(named),
  )("is not found in %s", (_name, headers) => {
    const fault = faultOf(() => askApi(auth, request(headers), stranger));
    expect(fault.code).toBe("invalid_api_key");
    expect(fault.headers).toEqual({ "www-authenticate": "Bearer" });
  });

  test("that is wrong is not repeated in the answer", () => {
    const fault = faultOf(() => askApi(auth, request({ authorization: "Bearer hunter2" }), stranger));
    expect(JSON.stringify(fault.body())).not.toContain("hunter2");
  });

  test("that is right needs no look-up of the address", () => {
    const fresh = create({ apiKeys: ["one"] }).auth;
    askApi(fresh, request({ authorization: "Bearer one" }), () => {
      throw new Error("looked up");
    });
  });

  test("is not needed if neither keys nor roles are configured", () => {
    const open = create({}).auth;
    expect(open.isOpen("api")).toBe(true);
    expect(() => askApi(open, request(), stranger)).not.toThrow();
  });
});

describe("a role", () => {
  const { auth } = create({ apiRoles: ["reader", "admin"] });
  const roles = (value: string): Request => request({ "x-user-roles": value });

  test("gives access if a trusted proxy sends it", () => {
    expect(() => askApi(auth, roles("guest, admin"), from("10.0.0.1"))).not.toThrow();
    expect(() => askApi(auth, roles("reader"), from("::ffff:10.0.0.1"))).not.toThrow();
  });
  test("from anyone else gives no access", () => {
    expect(faultOf(() => askApi(auth, roles("admin"), stranger)).code).toBe("invalid_api_key");
    expect(faultOf(() => askApi(auth, roles("admin"), () => undefined)).code).toBe("invalid_api_key");
  });
  test("must match a configured role exactly", () => {
    for (const value of ["guest", "admins", "", "read"]) {
      expect(faultOf(() => askApi(auth, roles(value), from("10.0.0.1"))).code).toBe("invalid_api_key");
    }
  });
  test.each([
    ["Sec-Fetch-Site", { origin: "https://evil.test", "sec-fetch-site": "cross-site" }],
    ["Origin", { origin: "https://evil.test", host: "server.test" }],
    ["the opaque origin", { origin: "null", host: "server.test" }],
  ])("does not count for a page of another site, as shown by %s", (_how, page) => {
    for (const allowedOrigins of [[], ["*"]]) {
      const { auth } = create({ apiRoles: ["reader"], apiKeys: ["one"], allowedOrigins });
      const fromPage = request({ ...page, "x-user-roles": "reader" });
      expect(faultOf(() => askApi(auth, fromPage, from("10.0.0.1"))).code).toBe("origin_not_allowed");
      expect(faultOf(() => askTransfer(auth, fromPage, from("10.0.0.1"))).code).toBe("origin_not_allowed");
      expect(() => askApi(auth, request({ ...page, "x-api-key": "one" }), from("10.0.0.1"))).not.toThrow();
    }
  });
  test("counts for this server's own pages, allowed pages, and links", () => {
    const { auth } = create({ apiRoles: ["reader"], allowedOrigins: ["https://app.test"] });
    const pages: Record<string, string>[] = [
      { origin: "https://public.test", "sec-fetch-site": "same-origin", host: "inner:8080" },
      { origin: "https://public.test", "x-forwarded-host": "public.test", host: "inner:8080" },
      { origin: "https://public.test", host: "public.test" },
      { origin: "https://app.test", "sec-fetch-site": "cross-site", host: "public.test" },
      { "sec-fetch-site": "cross-site", host: "public.test" },
    ];
    for (const page of pages)
      expect(() => askApi(auth, request({ ...page, "x-user-roles": "reader" }), from("10.0.0.1"))).not.toThrow();
  });
  test("of workers gives clients no access", () => {
    const both = create({ apiRoles: ["reader"], clientRoles: ["gpu"] }).auth;
    expect(() => askApi(both, roles("gpu"), from("10.0.0.1"))).toThrow();
    expect(() => askTransfer(both, roles("gpu"), from("10.0.0.1"))).not.toThrow();
  });
});

describe("guessing keys", () => {
  const wrong = request({ authorization: "Bearer wrong" });
  const right = request({ authorization: "Bearer right" });

  test("is refused with 429 after the limit, until the minute is over, while a right key is let in", () => {
    const { auth, clock } = create({ apiKeys: ["right"] });
    for (let i = 0; i < 3; i += 1) expect(faultOf(() => askApi(auth, wrong, stranger)).code).toBe("invalid_api_key");
    clock.at += 20_500;
    const fault = faultOf(() => askApi(auth, wrong, stranger));
    expect(fault.code).toBe("too_many_auth_failures");
    expect(fault.retryAfterS).toBe(40);
    expect(() => askApi(auth, right, stranger)).not.toThrow();
    expect(() => askTransfer(auth, right, stranger)).not.toThrow();
    expect(readState(auth, right, stranger).isCurrent()).toBe(true);
    expect(signInAs(auth, request(), stranger, "right")).toContain("moorage_session=");
    clock.at += 39_499;
    expect(faultOf(() => askApi(auth, wrong, stranger)).retryAfterS).toBe(1);
    clock.at += 1;
    expect(faultOf(() => askApi(auth, wrong, stranger)).code).toBe("invalid_api_key");
  });

  test("counts every different key of a request", () => {
    const { auth } = create({ apiKeys: ["right"] });
    const repeated = request({ authorization: "Bearer a", "x-api-key": "a", "api-key": "a" });
    for (let i = 0; i < 3; i += 1) expect(faultOf(() => askApi(auth, repeated, stranger)).status).toBe(401);
    expect(faultOf(() => askApi(auth, repeated, stranger)).status).toBe(429);
    const several = request({ authorization: "Bearer a", "x-api-key": "b", "api-key": "c" });
    expect(faultOf(() => askApi(auth, several, from("203.0.113.10"))).status).toBe(401);
    expect(faultOf(() => askApi(auth, several, from("203.0.113.10"))).status).toBe(429);
  });

  test("at one address does not count against another", () => {
    const { auth } = create({ apiKeys: ["right"] });
    for (let i = 0; i < 5; i += 1) faultOf(() => askApi(auth, wrong, stranger));
    expect(faultOf(() => askApi(auth, wrong, from("203.0.113.10"))).status).toBe(401);
  });

  test("is counted per client behind a trusted proxy, and per peer if the list of hops is made up", () => {
    const { auth } = create({ apiKeys: ["right"] });
    const via = (client: string): Request => request({ authorization: "Bearer wrong", "x-forwarded-for": client });
    for (let i = 0; i < 3; i += 1) faultOf(() => askApi(auth, via("198.51.100.1"), from("10.0.0.1")));
    expect(faultOf(() => askApi(auth, via("198.51.100.2"), from("10.0.0.1"))).status).toBe(401);
    expect(faultOf(() => askApi(auth, via("198.51.100.1"), from("10.0.0.1"))).status).toBe(429);
    for (let i = 0; i < 3; i += 1) faultOf(() => askApi(auth, via(`198.51.100.${i}`), stranger));
    expect(faultOf(() => askApi(auth, via("198.51.100.77"), stranger)).status).toBe(429);
  });

  test("does not include requests without any key", () => {
    const { auth, failed } = create({ apiKeys: ["right"] });
    for (let i = 0; i < 10; i += 1) expect(faultOf(() => askApi(auth, request(), stranger)).status).toBe(401);
    expect(faultOf(() => askApi(auth, wrong, stranger)).status).toBe(401);
    expect(failed).toEqual(Array(11).fill("api"));
  });

  test("is not counted if the limit is 0", () => {
    const { auth } = create({ apiKeys: ["right"], authFailuresPerMinute: 0 });
    for (let i = 0; i < 50; i += 1) expect(faultOf(() => askApi(auth, wrong, stranger)).status).toBe(401);
  });

  test("from ever new addresses does not fill the memory, because the oldest one is forgotten", () => {
    const { auth } = create({ apiKeys: ["right"], authFailuresPerMinute: 1 });
    faultOf(() => askApi(auth, wrong, stranger));
    expect(faultOf(() => askApi(auth, wrong, stranger)).status).toBe(429);
    for (let i = 0; i < 10_000; i += 1) faultOf(() => askApi(auth, wrong, from(`198.18.${i >> 8}.${i & 255}`)));
    expect(faultOf(() => askApi(auth, wrong, stranger)).status).toBe(401);
  });
});

describe("a worker", () => {
  const admit = ({ auth }: Fixture, headers: Record<string, string>, key?: string, address = stranger) =>
    admitWorker(auth, request(headers), address, key);

  test("is accepted with its key in the register message or on the upgrade", () => {
    const fixture = create({ clientKeys: ["alpha", "beta"] });
    const first = admit(fixture, {}, "alpha");
    const second = admit(fixture, { authorization: "Bearer alpha" });
    const other = admit(fixture, {}, "beta");
    expect(first).toMatchObject({ ok: true });
    expect(second).toEqual(first);
    expect(other).toMatchObject({ ok: true });
    expect(other).not.toEqual(first);
  });
  test("has the same owner at every server with its key, whatever the key's place in the list", () => {
    const first = admit(create({ clientKeys: ["alpha"] }), {}, "alpha");
    const second = admit(create({ clientKeys: ["beta", "alpha"] }), {}, "alpha");
    expect(first).toEqual({ ok: true, owner: expect.stringMatching(/^key:[0-9a-f]{16}$/), caller: "client-key:1" });
    expect(second).toEqual({ ok: true, owner: first.ok ? first.owner : "", caller: "client-key:2" });
  });
  test("that also proves its previous key is told apart from one that does not", () => {
    const fixture = create({ clientKeys: ["new", "old"] });
    const door = fixture.auth.workers;
    const credentials = door.readCredentials(visit(request({}), stranger));
    const rotated = door.admit(credentials, { clientKey: "new", previousKey: "old" });
    const old = admit(fixture, {}, "old");
    expect(rotated).toMatchObject({ ok: true, previousOwner: old.ok && old.owner });
    expect(rotated).toMatchObject({ owner: expect.not.stringMatching(String(old.ok && old.owner)) });
    for (const previousKey of ["new", "gone", undefined]) {
      const alone = door.admit(credentials, { clientKey: "new", previousKey });
      expect(alone).toEqual(admit(fixture, {}, "new"));
    }
    expect(fixture.failed).toEqual([]);
  });
  test("is let in by its previous key where its new one is not known yet", () => {
    const fixture = create({ clientKeys: ["old"] });
    const door = fixture.auth.workers;
    const credentials = door.readCredentials(visit(request({}), stranger));
    expect(door.admit(credentials, { clientKey: "new", previousKey: "old" })).toEqual(admit(fixture, {}, "old"));
    expect(fixture.failed).toEqual([]);
    expect(door.admit(credentials, { clientKey: "x", previousKey: "y" })).toMatchObject({ ok: false });
  });
  test("has an owner that is known as long as its key or role is configured", () => {
    const owner = (given: Parameters<typeof create>[0], key?: string, headers = {}) => {
      const admission = admit(create(given), headers, key, from("10.0.0.1"));
      return admission.ok ? admission.owner : "";
    };
    const known = create({ clientKeys: ["alpha"], clientRoles: ["gpu"] }).auth.workers;
    expect(known.isOwner(owner({ clientKeys: ["alpha"] }, "alpha"))).toBe(true);
    expect(known.isOwner(owner({ clientKeys: ["beta"] }, "beta"))).toBe(false);
    expect(known.isOwner(owner({ clientRoles: ["gpu"] }, undefined, { "x-user-roles": "gpu" }))).toBe(true);
    expect(known.isOwner(owner({ clientRoles: ["cpu"] }, undefined, { "x-user-roles": "cpu" }))).toBe(false);
    expect(known.isOwner(owner({}))).toBe(false);
    expect(create({}).auth.workers.isOwner(owner({}))).toBe(true);
  });
  test("with a wrong key, or none, is unauthorized", () => {
    const fixture = create({ clientKeys: ["alpha"], apiKeys: ["api"] });
    expect(admit(fixture, {})).toEqual({ ok: false, refusal: "unauthorized" });
    expect(admit(fixture, {}, "api")).toEqual({ ok: false, refusal: "unauthorized" });
    expect(admit(fixture, {}, "")).toEqual({ ok: false, refusal: "unauthorized" });
    expect(fixture.failed).toEqual(["worker", "worker", "worker"]);
  });
  test("that sends a key to a server without keys is refused with that reason", () => {
    const refused = { ok: false, refusal: "unexpected_client_key" } as const;
    expect(admit(create({}), {}, "alpha")).toEqual(refused);
    expect(admit(create({}), { authorization: "Bearer alpha" })).toEqual(refused);
    expect(admit(create({ clientRoles: ["gpu"] }), {}, "alpha")).toEqual(refused);
    expect(admit(create({ apiKeys: ["api"] }), {})).toEqual({
      ok: true,
      owner: "open",
      caller: "anonymous",
    });
  });
  test("is accepted by a role of a trusted proxy only", () => {
    const fixture = create({ clientRoles: ["gpu"] });
    expect(admit(fixture, { "x-user-roles": "gpu" }, undefined, from("10.0.0.1"))).toEqual({
      ok: true,
      owner: "role:gpu",
      caller: "role:gpu",
    });
    expect(admit(fixture, { "x-user-roles": "gpu" })).toEqual({ ok: false, refusal: "unauthorized" });
  });
  test("is not admitted by the role of a user who has another site's page open", () => {
    const fixture = create({ clientRoles: ["gpu"] });
    const page = { "x-user-roles": "gpu", origin: "https://evil.test", host: "server.test" };
    const fault = faultOf(() => admit(fixture, page, undefined, from("10.0.0.1")));
    expect(fault.code).toBe("origin_not_allowed");
  });
  test("with a wrong key after many others is told so, while one with a right key is admitted", () => {
    const fixture = create({ clientKeys: ["alpha"] });
    admit(fixture, { authorization: "Bearer wrong" }, "wrong");
    admit(fixture, { authorization: "Bearer wrong" }, "another");
    expect(admit(fixture, {}, "wrong")).toEqual({ ok: false, refusal: "too_many_wrong_keys" });
    expect(admit(fixture, {})).toEqual({ ok: false, refusal: "unauthorized" });
    expect(admit(fixture, {}, "alpha")).toMatchObject({ ok: true });
    fixture.clock.at += 60_000;
    expect(admit(fixture, {}, "wrong")).toEqual({ ok: false, refusal: "unauthorized" });
  });
});

describe("transfer", () => {
  test("accepts keys and roles of clients and workers", () => {
    const { auth } = create({ apiKeys: ["api"], clientKeys: ["worker"], authFailuresPerMinute: 0 });
    for (const key of ["api", "worker"]) {
      expect(() => askTransfer(auth, request({ authorization: `Bearer ${key}` }), stranger)).not.toThrow();
    }
    expect(() => askTransfer(auth, request({ authorization: "Bearer other" }), stranger)).toThrow();
    expect(() => askTransfer(auth, request(), stranger)).toThrow();
  });
  test("needs a key as soon as either kind is configured", () => {
    expect(() => askTransfer(create({ clientKeys: ["worker"] }).auth, request(), stranger)).toThrow();
    expect(() => askTransfer(create({}).auth, request(), stranger)).not.toThrow();
  });
});

describe("a sign-in to the dashboard", () => {
  const signIn = ({ auth }: Fixture, headers: Record<string, string> = {}, url?: string, key = "api"): string =>
    signInAs(auth, request(headers, url), stranger, key);
  const tokenOf = (cookie: string): string => cookie.split(";")[0] ?? "";

  test("is a sealed token in a cookie that is hidden from scripts and other sites", () => {
    const fixture = create({ apiKeys: ["api"] });
    const cookie = signIn(fixture);
    expect(cookie).toMatch(
      /^moorage_session=[A-Za-z0-9_-]{100,300}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    expect(signIn(fixture)).not.toBe(cookie);
    expect(cookie).not.toContain("api");
  });
  test("is restricted to https if it was made over https, as a trusted proxy reports", () => {
    const fixture = create({ apiKeys: ["api"] });
    expect(signIn(fixture, {}, "https://server.test/")).toEndWith("; Secure");
    const told = request({ "x-forwarded-proto": "https" });
    expect(signInAs(fixture.auth, told, from("10.0.0.1"), "api")).toEndWith("; Secure");
    expect(signInAs(fixture.auth, told, stranger, "api")).not.toContain("Secure");
  });
  test("gives access to the State API only", () => {
    const fixture = create({ apiKeys: ["api"] });
    const cookie = request({ cookie: `a=b; ${tokenOf(signIn(fixture))}; c=d` });
    expect(readState(fixture.auth, cookie, stranger).isCurrent()).toBe(true);
    expect(() => askApi(fixture.auth, cookie, stranger)).toThrow();
    expect(() => askTransfer(fixture.auth, cookie, stranger)).toThrow();
  });
  test("ends after twelve hours, also for an active viewer", () => {
    const fixture = create({ apiKeys: ["api"] });
    const cookie = request({ cookie: tokenOf(signIn(fixture)) });
    const access = readState(fixture.auth, cookie, stranger);
    fixture.clock.at += 12 * 3600 * 1000 - 1;
    expect(access.isCurrent()).toBe(true);
    fixture.clock.at += 1;
    expect(access.isCurrent()).toBe(false);
    expect(faultOf(() => readState(fixture.auth, cookie, stranger)).status).toBe(401);
  });
  test("ends with the sign-out", () => {
    const fixture = create({ apiKeys: ["api"] });
    const cookie = request({ cookie: tokenOf(signIn(fixture)) });
    expect(signOut(fixture.auth, cookie, stranger)).toContain("moorage_session=; Path=/; Max-Age=0");
    expect(() => readState(fixture.auth, cookie, stranger)).toThrow();
  });
  test("with a wrong key counts as a failure", () => {
    const fixture = create({ apiKeys: ["api"] });
    for (let i = 0; i < 3; i += 1) expect(faultOf(() => signIn(fixture, {}, undefined, "no")).status).toBe(401);
    expect(faultOf(() => signIn(fixture, {}, undefined, "no")).status).toBe(429);
    expect(signIn(fixture)).toContain("moorage_session=");
    expect(fixture.failed).toEqual(["state", "state", "state", "state"]);
  });
  test("outlives many wrong keys of its address", () => {
    const fixture = create({ apiKeys: ["api"] });
    const cookie = request({ cookie: tokenOf(signIn(fixture)) });
    for (let i = 0; i < 4; i += 1) faultOf(() => signIn(fixture, {}, undefined, "no"));
    expect(readState(fixture.auth, cookie, stranger).isCurrent()).toBe(true);
  });
  test("is valid after a restart and on another server with the same keys, and on none with others", () => {
    const keys = { apiKeys: ["api", "second"] };
    const cookie = request({ cookie: tokenOf(signIn(create(keys))) });
    expect(readState(create(keys).auth, cookie, stranger).caller.name).toBe("api-key:1");
    const others = [{ apiKeys: ["api"] }, { apiKeys: ["api", "third"] }, { ...keys, adminKeys: ["admin"] }];
    for (const other of others) expect(() => readState(create(other).auth, cookie, stranger)).toThrow();
  });
  test("that API clients could forge, because only roles make operators, is refused", () => {
    const lists = { apiKeys: ["api"], clientKeys: [], adminKeys: [], apiRoles: [], clientRoles: [] };
    const fixture = create({ apiKeys: ["api"], adminRoles: ["admin"] });
    const keys = new TokenKeys({ clock: new StillClock() });
    keys.derive(["api"], () => true);
    const content = { id: "forged", name: "role:admin", owner: "role:admin", ends_at: 9e15 };
    const forged = request({ cookie: `moorage_session=${keys.seal("sign-in", JSON.stringify(content))}` });
    expect(() => readState(fixture.auth, forged, stranger)).toThrow();
    fixture.auth.reload({ ...lists, adminKeys: ["key"], adminRoles: ["admin"] });
    expect(() => readState(fixture.auth, forged, stranger)).toThrow();
  });
  test.each(
    [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "http://evil.test", host: "server.test" },
      { origin: "null", host: "server.test" },
      { origin: "http://server.test:81", host: "server.test" },
      { origin: "http://evil.test", host: "server.test", "x-forwarded-host": "evil.test" },
    ].map(named),
  )("cannot be started or ended by another site: %s", (_name, headers) => {
    const fixture = create({ apiKeys: ["api"] });
    expect(faultOf(() => signIn(fixture, headers)).code).toBe("origin_not_allowed");
    expect(faultOf(() => signOut(fixture.auth, request(headers), stranger)).code).toBe("origin_not_allowed");
  });
  test.each(
    [
      { "sec-fetch-site": "same-origin", origin: "https://elsewhere.test" },
      { origin: "https://server.test", host: "Server.test" },
      {},
    ].map(named),
  )("can be started by this site and by programs: %s", (_name, headers) => {
    expect(signIn(create({ apiKeys: ["api"] }), headers)).toContain("moorage_session=");
  });
});
