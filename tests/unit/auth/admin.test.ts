import { describe, expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import { Fault } from "../../../src/errors.ts";
import type { Config } from "../../support/default-config.ts";
import {
  type Address,
  act,
  admit,
  askApi,
  askTransfer,
  doorsOf,
  issueTryToken,
  readState,
  signIn,
} from "../../support/doors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const proxy: Address = () => "10.0.0.1";
const stranger: Address = () => "203.0.113.9";

/** Doors that count no wrong keys unless told to. */
const create = (overrides: Partial<Config>): Auth =>
  doorsOf({ authFailuresPerMinute: 0, ...overrides }, new FakeClock());

function request(headers: Record<string, string> = {}): Request {
  return new Request("http://server.test/x", { headers });
}
const withKey = (key: string): Request => request({ authorization: `Bearer ${key}` });
const withRole = (role: string): Request => request({ "x-user-roles": role });

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "let in";
}

/** Which doors let a request in. */
function doorsFor(auth: Auth, asked: Request, address = stranger): readonly string[] {
  const doors = { state: readState, action: act, token: issueTryToken, api: askApi, transfer: askTransfer };
  return Object.entries(doors)
    .filter(([, enter]) => codeOf(() => enter(auth, asked, address)) === "let in")
    .map(([door]) => door);
}

const OPERATORS_DOORS = ["state", "action", "token"];
const CLIENTS_DOORS = ["api", "transfer"];

describe("without admin keys and roles", () => {
  test("API keys and API roles give operator access", () => {
    const auth = create({ apiKeys: ["api"], apiRoles: ["user"] });
    expect(doorsFor(auth, withKey("api"))).toEqual([...OPERATORS_DOORS, ...CLIENTS_DOORS]);
    expect(doorsFor(auth, withRole("user"), proxy)).toEqual([...OPERATORS_DOORS, ...CLIENTS_DOORS]);
    expect(auth.signIns.keyKind).toBe("API");
  });
});

describe("with an admin key", () => {
  const settings = { apiKeys: ["api"], apiRoles: ["user"], clientKeys: ["worker"], adminKeys: ["one", "two"] };

  test("only admin keys give operator access, and nothing else", () => {
    const auth = create(settings);
    for (const key of ["one", "two"]) expect(doorsFor(auth, withKey(key))).toEqual(OPERATORS_DOORS);
    expect(doorsFor(auth, withKey("api"))).toEqual(CLIENTS_DOORS);
    expect(doorsFor(auth, withRole("user"), proxy)).toEqual(CLIENTS_DOORS);
    expect(doorsFor(auth, withKey("worker"))).toEqual(["transfer"]);
    expect(doorsFor(auth, request())).toEqual([]);
    expect(admit(auth, withKey("one"), stranger).ok).toBe(false);
  });

  test("an admin key is accepted in any header that may hold a key", () => {
    const auth = create(settings);
    expect(doorsFor(auth, request({ "x-api-key": "one" }))).toEqual(OPERATORS_DOORS);
  });

  test("a refusal says which key is required, and repeats none", () => {
    const auth = create(settings);
    let message = "";
    try {
      readState(auth, withKey("api"), stranger);
    } catch (error) {
      if (error instanceof Fault) message = JSON.stringify(error.body());
    }
    expect(message).toContain("admin key");
    expect(message).not.toMatch(/one|two|"api"/);
  });

  test("an operator is named by the place of the key in the list", () => {
    const auth = create(settings);
    expect(act(auth, withKey("two"), stranger).name).toBe("admin-key:2");
    expect(readState(auth, withKey("one"), stranger).caller.name).toBe("admin-key:1");
  });

  test("a sign-in takes an admin key, never an API key, and gives operator access", () => {
    const auth = create(settings);
    expect(auth.signIns.keyKind).toBe("admin");
    expect(codeOf(() => signIn(auth, request(), stranger, "api"))).toBe("invalid_api_key");
    const cookie = signIn(auth, request(), stranger, "one").split(";")[0] ?? "";
    expect(doorsFor(auth, request({ cookie }))).toEqual(OPERATORS_DOORS);
  });

  test("wrong admin keys count as failures like all others", () => {
    const auth = create({ ...settings, authFailuresPerMinute: 3 });
    for (let each = 0; each < 3; each += 1)
      expect(codeOf(() => readState(auth, withKey("wrong"), stranger))).toBe("invalid_api_key");
    expect(codeOf(() => readState(auth, withKey("wrong"), stranger))).toBe("too_many_auth_failures");
    expect(codeOf(() => askApi(auth, withKey("wrong"), stranger))).toBe("too_many_auth_failures");
    expect(codeOf(() => readState(auth, withKey("one"), stranger))).toBe("let in");
    expect(codeOf(() => askApi(auth, withKey("api"), stranger))).toBe("let in");
  });

  test("a valid key of another kind is refused, and does not count as a failure", () => {
    const auth = create({ ...settings, authFailuresPerMinute: 1 });
    for (let each = 0; each < 5; each += 1) {
      expect(codeOf(() => readState(auth, withKey("api"), stranger))).toBe("invalid_api_key");
      expect(codeOf(() => askApi(auth, withKey("one"), stranger))).toBe("invalid_api_key");
    }
    expect(codeOf(() => askApi(auth, withKey("api"), stranger))).toBe("let in");
    expect(codeOf(() => readState(auth, withKey("one"), stranger))).toBe("let in");
  });

  test("a try token gives an operator API access", () => {
    const auth = create(settings);
    const token = issueTryToken(auth, withKey("one"), stranger) ?? "";
    expect(doorsFor(auth, withKey(token))).toEqual(CLIENTS_DOORS);
  });

  test("an API without keys stays open, and operator access stays closed", () => {
    const auth = create({ adminKeys: ["one"] });
    expect(doorsFor(auth, request())).toEqual(CLIENTS_DOORS);
    expect(doorsFor(auth, withKey("one"))).toEqual([...OPERATORS_DOORS, ...CLIENTS_DOORS]);
    expect(issueTryToken(auth, withKey("one"), stranger)).toBeUndefined();
    const fromElsewhere = request({ origin: "https://evil.test", host: "server.test" });
    expect(codeOf(() => askApi(auth, fromElsewhere, stranger))).toBe("origin_not_allowed");
  });
});

describe("with an admin role", () => {
  test("only that role from a trusted proxy gives operator access, and no key can sign in", () => {
    const auth = create({ apiKeys: ["api"], adminRoles: ["admin"] });
    expect(doorsFor(auth, withRole("user, admin"), proxy)).toEqual(OPERATORS_DOORS);
    expect(doorsFor(auth, withRole("admin"))).toEqual([]);
    expect(doorsFor(auth, withKey("api"))).toEqual(CLIENTS_DOORS);
    expect(auth.signIns.keyKind).toBeUndefined();
  });

  test("a page of another site gets no access by the proxy's role", () => {
    const auth = create({ apiKeys: ["api"], adminRoles: ["admin"] });
    const crossSite = request({ "x-user-roles": "admin", "sec-fetch-site": "cross-site" });
    expect(codeOf(() => act(auth, crossSite, proxy))).toBe("origin_not_allowed");
  });
});
