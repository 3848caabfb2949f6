import { beforeEach, describe, expect, test } from "bun:test";
import type { Auth } from "../../../src/auth/auth.ts";
import type { Entered } from "../../../src/auth/connector-door.ts";
import { Fault } from "../../../src/errors.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import type { ConnectorRelay, Granted, Holder } from "../../../src/oauth/connector.ts";
import { doorsOf, visit } from "../../support/doors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const URL_OF_TOOLS = "https://server.test/api/mcp/id/tools/mcp";
const TOOLS: ConnectorRelay = { id: "tools", name: "Tools", restricts: true, tenants: undefined };
const LISTED = "a-listed-key-of-the-configuration";
const stranger = (): string => "203.0.113.9";

let clock: FakeClock;
let book: KeyBook;
let auth: Auth;
/** What tokens stand for, by URL and token. */
let grants: Map<string, Granted>;

beforeEach(() => {
  clock = new FakeClock();
  book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 10 });
  grants = new Map();
  auth = doorsOf({ apiKeys: [LISTED] }, clock, {
    made: book.sources,
    connectorTokens: () => ({
      verify: async (resource, token) => grants.get(`${resource} ${token}`),
      isOurs: (token) => [...grants.keys()].some((each) => each.endsWith(` ${token}`)),
      hasForm: (token) => token.startsWith("token-"),
      isWithoutKeys: false,
      metadataFor: () => ({}),
    }),
  });
});

const make = (terms: Partial<KeyTerms> = {}) =>
  book.create({ kind: "client", terms: { name: "ann", limits: {}, ...terms } }, BY);
const holderOf = (key: string): Holder => auth.connectors.holderOf(visit(new Request(URL_OF_TOOLS), stranger), key);
const enter = (bearer: string, resource: string | undefined = URL_OF_TOOLS): Promise<Entered> =>
  auth.connectors.enter(
    visit(new Request(URL_OF_TOOLS, { headers: { authorization: `Bearer ${bearer}` } }), stranger),
    { id: "tools", resource, metadataUrl: "https://server.test/metadata" },
  );

function grant(key: string, token = "token-1", resource = URL_OF_TOOLS): Holder {
  const holder = holderOf(key);
  grants.set(`${resource} ${token}`, { grantId: "g1", clientName: "Claude", holder });
  return holder;
}

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "admitted";
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

describe("an access token", () => {
  test("lets in the caller of the key as that is now, and names the program", async () => {
    const { entry, text } = make({ mcp: { tools: ["read_*"] } });
    grant(text);
    const entered = await enter("token-1");
    expect(entered).toMatchObject({ grantId: "g1" });
    expect([entered.caller.name, entered.caller.keyId, entered.caller.client]).toEqual([
      `key:${entry.id}`,
      entry.id,
      "Claude",
    ]);
    const before = entered.callerAt(TOOLS);
    expect(before).toEqual({ name: `key:${entry.id}`, rules: { tools: ["read_*"] } });
    book.update(entry.id, { terms: {}, limits: {}, mcp: { tools: [] } });
    expect(entered.callerAt(TOOLS).rules).toEqual({ tools: [] });
    expect(entered.isUnchanged(TOOLS, before)).toBe(false);
    entered.caller.leave();
  });

  test("is for the relay of one URL, and for none where this server's name is not known", async () => {
    grant(make().text);
    expect(await codeOf(() => enter("token-1", "https://server.test/api/mcp/id/other/mcp"))).toBe("invalid_api_key");
    const nameless = auth.connectors.enter(
      visit(new Request(URL_OF_TOOLS, { headers: { authorization: "Bearer token-1" } }), stranger),
      { id: "tools", resource: undefined, metadataUrl: undefined },
    );
    expect(await codeOf(() => nameless)).toBe("invalid_api_key");
  });

  test("ends with the key, also within a call that was let in", async () => {
    const { entry, text } = make();
    const holder = grant(text);
    const entered = await enter("token-1");
    book.revoke(entry.id, BY);
    expect(await codeOf(() => entered.callerAt(TOOLS))).toBe("key_revoked");
    expect(await codeOf(() => enter("token-1"))).toBe("key_revoked");
    expect(auth.connectors.accessOf(holder, TOOLS)).toEqual({ kind: "ended" });
  });

  test("ends with the grant, also within a call that waits for its relay", async () => {
    grant(make().text);
    const entered = await enter("token-1");
    const before = entered.callerAt(TOOLS);
    grants.clear();
    expect(await codeOf(() => entered.callerAt(TOOLS))).toBe("key_revoked");
    expect(await codeOf(() => entered.begin())).toBe("key_revoked");
    expect(entered.isUnchanged(TOOLS, before)).toBe(false);
    expect(() => entered.callerAt(TOOLS)).toThrow(/sign in again/);
  });

  test("ends with the secret that it was granted with, once a rotation has replaced that", async () => {
    const { entry, text } = make();
    const holder = grant(text);
    const next = book.rotate(entry.id, 60_000, BY);
    expect(await codeOf(() => enter("token-1"))).toBe("admitted");
    clock.advance(60_000);
    expect(await codeOf(() => enter("token-1"))).toBe("key_rotated");
    expect(auth.connectors.accessOf(holder, TOOLS)).toEqual({ kind: "ended" });
    expect(auth.connectors.accessOf(holderOf(next.text), TOOLS)).toMatchObject({ kind: "allowed" });
  });

  test("may stand for a key of the configuration, until that is removed", async () => {
    grant(LISTED);
    expect((await enter("token-1")).callerAt(TOOLS)).toEqual({ name: "api-key:1" });
    auth.reload({
      apiKeys: ["another-key"],
      clientKeys: [],
      adminKeys: [],
      apiRoles: [],
      clientRoles: [],
      adminRoles: [],
    });
    expect(await codeOf(() => enter("token-1"))).not.toBe("admitted");
  });

  test("that has expired is no guess, and a wrong key is one", async () => {
    for (let tries = 0; tries < 10; tries += 1) expect(await codeOf(() => enter("token-old"))).toBe("invalid_api_key");
    for (const guess of ["g1", "g2", "g3"]) expect(await codeOf(() => enter(guess))).toBe("invalid_api_key");
    expect(await codeOf(() => enter("g4"))).toBe("too_many_auth_failures");
    expect(await codeOf(() => enter("token-old"))).toBe("invalid_api_key");
    expect(await codeOf(() => enter(LISTED))).toBe("admitted");
  });
});

describe("the holder of a key, as the page for consent asks for it,", () => {
  test("is nobody for a wrong key, which counts as a guess", async () => {
    for (const guess of ["", "g1", "g2", "g3"]) expect(await codeOf(() => holderOf(guess))).toBe("invalid_api_key");
    expect(await codeOf(() => holderOf("g4"))).toBe("too_many_auth_failures");
  });

  test("shows nothing of the secret", () => {
    const { text } = make();
    expect(JSON.stringify(holderOf(text))).not.toContain(text.split("_").at(-1) ?? "");
    expect(JSON.stringify(holderOf(LISTED))).not.toContain(LISTED);
  });

  test("may use what the key allows", () => {
    const access = (terms: Partial<KeyTerms>, relay: Partial<ConnectorRelay> = {}): unknown =>
      auth.connectors.accessOf(holderOf(make(terms).text), { ...TOOLS, ...relay });
    expect(access({})).toEqual({ kind: "allowed", rules: undefined });
    expect(access({ mcp: { relays: ["x"] } })).toEqual({ kind: "no_relay" });
    expect(access({ mcp: { tools: [] } }, { restricts: false })).toEqual({ kind: "cannot_restrict" });
    expect(access({}, { tenants: ["research"] })).toEqual({ kind: "no_relay" });
    expect(access({ tenant: "research" }, { tenants: ["research"] })).toMatchObject({ kind: "allowed" });
  });
});
