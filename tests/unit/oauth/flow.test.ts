import { describe, expect, test } from "bun:test";
import type { SharedOAuth } from "../../../src/oauth/oauth-records.ts";
import { ANN, KEY, OAuthRig, ORIGIN, REDIRECT_URI } from "../../support/oauth-rig.ts";

describe("a client that registers itself", () => {
  test("gets from the metadata to a token, refreshes it, and revokes it", async () => {
    const rig = new OAuthRig();
    const metadata = (await (await rig.handle("/.well-known/oauth-authorization-server")).json()) as object;
    expect(metadata).toMatchObject({
      issuer: ORIGIN,
      authorization_endpoint: `${ORIGIN}/authorize`,
      token_endpoint: `${ORIGIN}/token`,
      registration_endpoint: `${ORIGIN}/register`,
      revocation_endpoint: `${ORIGIN}/token`,
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
    });
    expect(metadata).not.toHaveProperty("protected_resources");

    const { back, code, ...begun } = await rig.allow();
    expect(back.origin + back.pathname).toBe(REDIRECT_URI);
    expect(back.searchParams.get("state")).toBe("the-state");
    expect(back.searchParams.get("iss")).toBe(ORIGIN);

    const answer = await rig.exchange(begun, code);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const tokens = (await answer.json()) as { access_token: string; refresh_token: string; expires_in: number };
    expect(tokens).toMatchObject({ token_type: "bearer", expires_in: 3600, resource: begun.resource });

    const granted = await rig.verify(tokens.access_token);
    expect(granted).toMatchObject({ clientName: "Test client", holder: ANN });

    const refreshed = (await (await rig.refresh(begun.clientId, tokens.refresh_token)).json()) as typeof tokens;
    expect(refreshed.access_token).not.toBe(tokens.access_token);
    expect(await rig.verify(refreshed.access_token)).toEqual(granted);

    const revoked = await rig.form("/token", { token: refreshed.refresh_token, client_id: begun.clientId });
    expect(revoked.status).toBe(200);
    expect(await rig.verify(refreshed.access_token)).toBeUndefined();
    expect((await rig.refresh(begun.clientId, refreshed.refresh_token)).status).toBe(400);
    expect(rig.endedGrants).toEqual([granted?.grantId ?? ""]);
  });

  test("uses either URL of the relay with a token for the other", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn({ resource: `${ORIGIN}/api/mcp/id/files` });
    expect(tokens.resource).toBe(`${ORIGIN}/api/mcp/id/files`);
    expect(await rig.oauth.verify(`${ORIGIN}/api/mcp/id/files/mcp`, tokens.access_token)).toBeDefined();
    expect(await rig.oauth.verify(`${ORIGIN}/api/mcp/id/files`, tokens.access_token)).toBeDefined();
  });

  test("may have a secret, and then has to send it", async () => {
    const rig = new OAuthRig();
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "client_secret_post" });
    const answer = await rig.handle("/register", { method: "POST", body, headers });
    const { client_id: id, client_secret: secret } = (await answer.json()) as Record<string, string>;
    const { code, ...begun } = await rig.allow({ client_id: id ?? "" });
    expect((await rig.exchange(begun, code)).status).toBe(401);
    expect((await rig.exchange(begun, code, { client_secret: secret ?? "" })).status).toBe(200);
  });
});

describe("the page of consent", () => {
  test("names the client, where access goes, and the relay, with all of it escaped", async () => {
    const rig = new OAuthRig();
    const client = await rig.register({ client_name: "<b>Claude</b>\u202e" });
    const { page } = await rig.open({ client_id: client });
    const html = await page.text();
    expect(html).toContain("&lt;b&gt;Claude&lt;/b&gt;");
    expect(html).toContain("127.0.0.1");
    expect(html).toContain("a program on your own computer");
    expect(html).toContain("Ann&#x27;s files");
    expect(html).not.toContain("<b>");
    expect(html).not.toContain("\u202e");
    expect(page.headers.get("x-frame-options")).toBe("DENY");
  });

  test("can be declined, which the client learns", async () => {
    const rig = new OAuthRig();
    const { page, cookies } = await rig.open();
    const answer = await rig.decide(cookies, await page.text(), { decision: "deny", key: "" });
    expect(answer.status).toBe(303);
    const back = new URL(answer.headers.get("location") ?? "");
    expect(back.searchParams.get("error")).toBe("access_denied");
    expect(back.searchParams.get("state")).toBe("the-state");
    expect(back.searchParams.get("iss")).toBe(ORIGIN);
  });

  test("is shown again after a wrong key, and works then", async () => {
    const rig = new OAuthRig();
    const { page, cookies } = await rig.open();
    const again = await rig.decide(cookies, await page.text(), { key: "wrong" });
    expect(again.status).toBe(401);
    const html = await again.text();
    expect(html).toContain("not a valid key");
    const answer = await rig.decide(cookies, html);
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toContain("code=");
  });
});

describe("a grant", () => {
  test("is listed with its client, its relay, its holder and its last use, and can be revoked", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn();
    const [grant] = rig.oauth.grants.list();
    expect(grant).toMatchObject({
      client: { name: "Test client", redirectHost: "127.0.0.1" },
      relay: "files",
      resource: `${ORIGIN}/api/mcp/id/files/mcp`,
      holder: ANN,
      lastUsedAt: undefined,
    });
    await rig.verify(tokens.access_token);
    expect(rig.oauth.grants.list({ keyId: "ann" })[0]?.lastUsedAt).toBe(rig.clock.now());
    expect(rig.oauth.grants.list({ keyId: "bob" })).toEqual([]);

    expect((await rig.oauth.grants.revoke(grant?.id ?? ""))?.grant.relay).toBe("files");
    expect(rig.oauth.grants.list()).toEqual([]);
    expect(await rig.oauth.grants.revoke(grant?.id ?? "")).toBeUndefined();
    expect(await rig.verify(tokens.access_token)).toBeUndefined();
    expect(rig.endedGrants).toEqual([grant?.id ?? ""]);
  });

  test("ends no other grant of the same key for the same client, which people of a team may share", async () => {
    const rig = new OAuthRig();
    const first = await rig.signIn();
    const second = await rig.signIn({ client_id: first.clientId });
    expect(await rig.verify(first.tokens.access_token)).toBeDefined();
    expect(await rig.verify(second.tokens.access_token)).toBeDefined();
    expect(rig.oauth.grants.list()).toHaveLength(2);
  });
});

describe("a server of a cluster that has not read the records yet", () => {
  const unread: SharedOAuth = {
    isUnread: true,
    load: () => [],
    write: async () => "away",
    remove: async () => false,
    retry: () => {},
    watch: () => {},
  };

  test("tells programs to come back, also where no relay is connected", async () => {
    const rig = new OAuthRig({ shared: unread });
    rig.relays.clear();
    const answers = [
      await rig.handle("/.well-known/oauth-authorization-server"),
      await rig.refresh("client", "0".repeat(24)),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("5");
    }
  });

  test("refuses what has not the form of a token at once, and does not wait for other servers to tell of it", async () => {
    const rig = new OAuthRig({ shared: { ...unread, isUnread: false } });
    expect(await rig.verify("some:other:token")).toBeUndefined();
  });

  test("tells people to try again, and says nothing about a program that it cannot know", async () => {
    const rig = new OAuthRig({ shared: unread });
    const { page } = await rig.open({ client_id: "known-to-the-others" });
    const decided = await rig.form("/authorize", { handle: "h", decision: "allow", key: KEY });
    for (const answer of [page, decided]) {
      expect(answer.status).toBe(503);
      expect(await answer.text()).toContain("Try again in a moment");
    }
  });
});
