import { describe, expect, test } from "bun:test";
import { type AnyElysia, Elysia } from "elysia";
import type { AuditNote } from "../../../src/audit/audit.ts";
import type { ActiveCaller } from "../../../src/auth/caller.ts";
import { createCaller } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import { createVisit } from "../../../src/http/visit.ts";
import type { Holder } from "../../../src/oauth/connector.ts";
import { grantRoutes } from "../../../src/oauth/grant-routes.ts";
import type { GrantView } from "../../../src/oauth/grant-view.ts";
import type { OAuthOptions } from "../../../src/oauth/oauth.ts";
import type { SharedOAuth } from "../../../src/oauth/oauth-records.ts";
import { NO_VISIT } from "../../../src/plugin/route-context.ts";
import { ANN, OAuthRig } from "../../support/oauth-rig.ts";

const BEN: Holder = { kind: "key", owner: "made:ben", keyId: "ben", name: "key:ben" };
/** A key of the settings. */
const CY: Holder = { kind: "key", owner: "configured:cy", keyId: undefined, name: "api-key:1" };
const KEYS: Readonly<Record<string, Holder>> = { "key-of-ann": ANN, "key-of-ben": BEN, "key-of-cy": CY };

interface Listed {
  readonly data: readonly GrantView[];
  readonly has_more: boolean;
  readonly total: number;
}

class GrantRig extends OAuthRig {
  readonly notes: AuditNote[] = [];
  readonly #routes: AnyElysia;

  constructor(options: Partial<OAuthOptions> = {}) {
    super(options);
    for (const [key, holder] of Object.entries(KEYS)) this.keys.set(key, holder);
    const operator = createCaller("admin-key:1");
    const routes = grantRoutes({
      auth: {
        addressOf: () => "192.0.2.7",
        ask({ request }): ActiveCaller {
          const holder = KEYS[request.headers.get("authorization")?.replace("Bearer ", "") ?? ""];
          if (holder?.kind !== "key") throw new Fault("invalid_api_key");
          const caller = { ...createCaller(holder.name), keyId: holder.keyId };
          return { ...caller, address: undefined, route: "", linger: () => {}, leave: () => {} };
        },
        operators: { read: () => ({ caller: operator, mayAct: true, isCurrent: () => true }), act: () => operator },
      },
      grants: this.oauth.grants,
      audit: { note: (note) => void this.notes.push(note) },
      nameOfKey: (id) => (id === "ann" ? "Ann's laptop" : undefined),
    });
    this.#routes = new Elysia()
      .decorate("visit", NO_VISIT)
      .onRequest((context) => {
        context.visit = createVisit(context.request, "request", { addressOf: () => undefined });
      })
      .onError(({ error }) =>
        error instanceof Fault ? Response.json({ code: error.code }, { status: error.status }) : undefined,
      )
      .use(routes);
  }

  /** Lets a client in with the key of somebody. Returns its access token. */
  async letIn(key: string, client = "Sextant", relay = "files"): Promise<string> {
    const id = await this.register({ client_name: client });
    const resource = `http://127.0.0.1/api/mcp/id/${relay}/mcp`;
    const { cookies, page, ...begun } = await this.open({ client_id: id, resource });
    const answer = await this.decide(cookies, await page.text(), { key });
    const code = new URL(answer.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const tokens = (await (await this.exchange({ ...begun, cookies }, code)).json()) as { access_token: string };
    return tokens.access_token;
  }

  async ask(method: string, path: string, key = ""): Promise<Response> {
    const headers = { authorization: `Bearer ${key}` };
    return this.#routes.handle(new Request(`http://127.0.0.1${path}`, { method, headers }));
  }

  async list(path = "/api/mcp/grants", key = ""): Promise<Listed> {
    return (await (await this.ask("GET", path, key)).json()) as Listed; // a failed test shows what else it is
  }
}

const namesOf = ({ data }: Listed): string[] => data.map(({ client }) => client.name);

describe("operators", () => {
  test("see who let which program in to what, and no secret", async () => {
    const rig = new GrantRig();
    const token = await rig.letIn("key-of-ann");
    const { data, total } = await rig.list();
    expect(total).toBe(1);
    expect(data).toMatchObject([
      {
        id: expect.any(String),
        client: { id: expect.any(String), name: "Sextant", redirect_host: "127.0.0.1" },
        relay: "files",
        resource: "http://127.0.0.1/api/mcp/id/files/mcp",
        holder: { kind: "key", name: "Ann's laptop", key_id: "ann" },
        created_at: expect.any(String),
        last_used_at: null,
        expires_at: expect.any(String),
      },
    ]);
    const text = JSON.stringify(data);
    for (const secret of [token, "made:ann", "key-of-ann"]) expect(text).not.toContain(secret);
  });

  test("see when a grant was last used", async () => {
    const rig = new GrantRig();
    const token = await rig.letIn("key-of-ann");
    rig.clock.advance(5 * 60_000);
    await rig.verify(token);
    expect((await rig.list()).data[0]?.last_used_at).toBe(new Date(rig.clock.now()).toISOString());
  });

  test("ask for the grants of one relay or one key, in pages", async () => {
    const rig = new GrantRig();
    for (const [key, client, relay] of [
      ["key-of-ann", "first", "files"],
      ["key-of-ben", "second", "files"],
      ["key-of-cy", "third", "mail"],
    ] as const) {
      await rig.letIn(key, client, relay);
    }
    expect(namesOf(await rig.list())).toEqual(["third", "second", "first"]);
    expect(namesOf(await rig.list("/api/mcp/grants?relay=files"))).toEqual(["second", "first"]);
    for (const key of ["ann", "Ann's laptop"])
      expect(namesOf(await rig.list(`/api/mcp/grants?key=${encodeURIComponent(key)}`))).toEqual(["first"]);
    expect(namesOf(await rig.list("/api/mcp/grants?key=api-key:1"))).toEqual(["third"]);
    const page = await rig.list("/api/mcp/grants?limit=2");
    expect([page.data.length, page.has_more, page.total]).toEqual([2, true, 3]);
    const rest = await rig.list(`/api/mcp/grants?limit=2&after=${page.data[1]?.id}`);
    expect([namesOf(rest), rest.has_more]).toEqual([["first"], false]);
    expect((await rig.ask("GET", "/api/mcp/grants?limit=0")).status).toBe(400);
  });

  test("revoke a grant, whose tokens and calls end, and the trail says so", async () => {
    const rig = new GrantRig();
    const token = await rig.letIn("key-of-ann");
    const other = await rig.letIn("key-of-ben");
    const id = (await rig.list("/api/mcp/grants?key=ann")).data[0]?.id ?? "";
    expect((await rig.ask("DELETE", `/api/mcp/grants/${id}`)).status).toBe(200);
    expect(await rig.verify(token)).toBeUndefined();
    expect(await rig.verify(other)).toBeDefined();
    expect(rig.endedGrants).toEqual([id]);
    expect(rig.notes).toEqual([
      {
        who: "admin-key:1",
        address: "192.0.2.7",
        what: "grant.revoke",
        about: id,
        detail: { client: "Sextant", relay: "files", holder: "Ann's laptop" },
      },
    ]);
    const again = await rig.ask("DELETE", `/api/mcp/grants/${id}`);
    expect([again.status, await again.json()]).toEqual([404, { code: "grant_not_found" }]);
    expect(rig.notes).toHaveLength(1);
  });
});

describe("the holder of a key", () => {
  test("sees and revokes the grants of that key alone", async () => {
    const rig = new GrantRig();
    await rig.letIn("key-of-ann", "hers");
    await rig.letIn("key-of-ben", "his");
    expect(namesOf(await rig.list("/api/key/grants", "key-of-ann"))).toEqual(["hers"]);
    const id = (await rig.list("/api/key/grants", "key-of-ben")).data[0]?.id ?? "";
    expect((await rig.ask("DELETE", `/api/key/grants/${id}`, "key-of-ann")).status).toBe(404);
    expect((await rig.ask("DELETE", `/api/key/grants/${id}`, "key-of-ben")).status).toBe(200);
    expect(namesOf(await rig.list())).toEqual(["hers"]);
    expect(rig.notes.map(({ who, about }) => [who, about])).toEqual([["key:ben", id]]);
  });

  test("has no list with a key of the settings, whose name another key may get", async () => {
    const rig = new GrantRig();
    await rig.letIn("key-of-cy");
    expect((await rig.list("/api/key/grants", "key-of-cy")).data).toEqual([]);
  });

  test("is asked for the key", async () => {
    const rig = new GrantRig();
    expect((await rig.ask("GET", "/api/key/grants", "wrong")).status).toBe(401);
  });
});

/** The records of a cluster that this server reaches only while `state` says so. */
function sharedWhile(state: { isUnread: boolean; isReached: boolean }): SharedOAuth {
  return {
    get isUnread() {
      return state.isUnread;
    },
    load: () => [],
    write: async () => (state.isReached ? "written" : "away"),
    remove: async () => state.isReached,
    retry: () => {},
    watch: () => {},
  };
}

describe("a server of a cluster", () => {
  test("says that it cannot know the grants while it has not read them", async () => {
    const rig = new GrantRig({ shared: sharedWhile({ isUnread: true, isReached: false }) });
    const asked = [
      ["GET", "/api/mcp/grants"],
      ["DELETE", "/api/mcp/grants/g1"],
      ["GET", "/api/key/grants"],
      ["DELETE", "/api/key/grants/g1"],
    ] as const;
    for (const [method, path] of asked) {
      const answer = await rig.ask(method, path, "key-of-ann");
      expect(answer.status).toBe(503);
      expect(await answer.json()).toEqual({ code: "keys_unavailable" });
    }
    expect(rig.notes).toEqual([]);
  });

  test("writes down a revocation of which the other servers do not know yet, and says so", async () => {
    const state = { isUnread: false, isReached: true };
    const rig = new GrantRig({ shared: sharedWhile(state) });
    const token = await rig.letIn("key-of-ann");
    const id = (await rig.list()).data[0]?.id;
    state.isReached = false;
    const answer = await rig.ask("DELETE", `/api/mcp/grants/${id}`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ code: "keys_unavailable" });
    expect(rig.notes).toMatchObject([
      { what: "grant.revoke", about: id, detail: { client: "Sextant", only_here: true } },
    ]);
    expect((await rig.list()).total).toBe(0);
    expect(rig.oauth.isOurs(token)).toBe(false);
  });
});
