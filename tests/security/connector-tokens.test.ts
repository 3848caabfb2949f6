import { describe, expect, test } from "bun:test";
import { ANN, Cookies, handleIn, KEY, ORIGIN, OAuthRig, REDIRECT_URI } from "../support/oauth-rig.ts";

/** Returns OAuth's error in an answer, with its status. */
async function refusalOf(answer: Response): Promise<string> {
  const body = (await answer.json()) as { error?: string }; // RFC 6749 §5.2
  return `${answer.status} ${body.error}`;
}

describe("an authorization request", () => {
  test.each([
    ["of a relay that there is not", { resource: `${ORIGIN}/api/mcp/id/nobody/mcp` }, 404],
    ["with an unknown client", { client_id: "invented" }, 400],
    ["with a redirect URI that the client has not registered", { redirect_uri: "https://evil.example/callback" }, 400],
    ["with another path at its registered host", { redirect_uri: "http://127.0.0.1:33418/other" }, 400],
  ])("%s is answered here, and nobody is sent anywhere", async (_what, more, status) => {
    const rig = new OAuthRig();
    const { page } = await rig.open(more);
    expect(page.status).toBe(status);
    expect(page.headers.get("location")).toBeNull();
    expect(await page.text()).not.toContain("<form");
  });

  test.each([
    ["for a resource of another server", { resource: "https://other.example/api/mcp/id/files" }, "invalid_target"],
    ["for no relay", { resource: `${ORIGIN}/api/mcp` }, "invalid_target"],
    ["without a resource", { resource: "" }, "invalid_target"],
    ["without a code challenge", { code_challenge: "", code_challenge_method: "" }, "invalid_request"],
    ["with a plain code challenge", { code_challenge_method: "plain" }, "invalid_request"],
    ["for a token in the redirect", { response_type: "token" }, "unsupported_response_type"],
  ])("%s is refused", async (_what, more, error) => {
    const rig = new OAuthRig();
    const { page } = await rig.open(more);
    expect(page.status).toBe(303);
    const back = new URL(page.headers.get("location") ?? "");
    expect(back.origin + back.pathname).toBe(REDIRECT_URI);
    expect(back.searchParams.get("error")).toBe(error);
    expect(back.searchParams.get("state")).toBe("the-state");
    expect(back.searchParams.has("code")).toBe(false);
  });

  test("without a code challenge is refused for a client with a secret, too", async () => {
    const rig = new OAuthRig();
    const client = await rig.register({ token_endpoint_auth_method: "client_secret_basic" });
    const { page } = await rig.open({ client_id: client, code_challenge: "", code_challenge_method: "" });
    expect(new URL(page.headers.get("location") ?? "").searchParams.get("error")).toBe("invalid_request");
  });

  test("that is refused sends nobody to a place on the web that a stranger has registered", async () => {
    const rig = new OAuthRig();
    const place = "https://evil.example/callback";
    const client = await rig.register({ redirect_uris: [place] });
    const { page } = await rig.open({ client_id: client, redirect_uri: place, resource: "" });
    expect(page.status).toBe(400);
    expect(page.headers.get("location")).toBeNull();
    expect(await page.text()).toContain("go back to evil.example");
  });

  test("under a name with http that is not this machine is refused, as the key would travel in the open", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn();
    expect(rig.oauth.metadataFor("http://10.0.0.5/api/mcp/id/files", "http://10.0.0.5")).toBeUndefined();
    expect(await rig.oauth.verify("http://10.0.0.5/api/mcp/id/files", tokens.access_token)).toBeUndefined();
  });
});

describe("the page of consent", () => {
  test("cannot be answered from another browser, or twice", async () => {
    const rig = new OAuthRig();
    const { page, cookies } = await rig.open();
    const html = await page.text();
    expect((await rig.decide(new Cookies(), html)).status).toBe(400);
    expect((await rig.decide(cookies, html)).status).toBe(303);
    expect((await rig.form("/authorize", { handle: handleIn(html), decision: "allow", key: KEY })).status).toBe(400);
    expect(rig.oauth.grants.list()).toHaveLength(1);
  });

  test("takes a double click once", async () => {
    const rig = new OAuthRig();
    const { page, cookies } = await rig.open();
    const html = await page.text();
    const form = { handle: handleIn(html), decision: "allow", key: KEY };
    const headers = { cookie: cookies.header };
    const answers = await Promise.all([1, 2].map(() => rig.form("/authorize", form, headers)));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400]);
    expect(rig.oauth.grants.list()).toHaveLength(1);
  });

  test("ends after ten minutes", async () => {
    const rig = new OAuthRig();
    const { page, cookies } = await rig.open();
    rig.clock.advance(10 * 60_000);
    expect((await rig.decide(cookies, await page.text())).status).toBe(400);
  });

  test("lets nobody in with a key that may not use the relay", async () => {
    for (const kind of ["no_relay", "cannot_restrict", "ended"] as const) {
      const rig = new OAuthRig();
      rig.access = () => ({ kind });
      const { page, cookies } = await rig.open();
      expect((await rig.decide(cookies, await page.text())).status).toBe(403);
      expect(rig.oauth.grants.list()).toEqual([]);
    }
  });

  test("writes what a client says as text, and sends the browser to the client with the state as it came", async () => {
    const rig = new OAuthRig();
    const client = await rig.register({ client_name: '"><script>alert(1)</script>' });
    const { back } = await rig.allow({ client_id: client, state: "a b&code=forged" });
    expect(back.searchParams.getAll("code")).toHaveLength(1);
    expect(back.searchParams.get("state")).toBe("a b&code=forged");
    const { page } = await rig.open({ client_id: client });
    expect(await page.text()).not.toContain("<script>alert");
  });
});

describe("a code", () => {
  test.each([
    ["with another verifier", { code_verifier: "A".repeat(43) }, "invalid_grant"],
    ["without a verifier", { code_verifier: "" }, "invalid_request"],
    ["with another redirect URI", { redirect_uri: "http://127.0.0.1:33418/other" }, "invalid_grant"],
    ["for another relay", { resource: `${ORIGIN}/api/mcp/id/mail/mcp` }, "invalid_target"],
  ])("%s gives no token", async (_what, more, error) => {
    const rig = new OAuthRig();
    const { code, ...begun } = await rig.allow();
    expect(await refusalOf(await rig.exchange(begun, code, more))).toBe(`400 ${error}`);
  });

  test("of another client gives no token", async () => {
    const rig = new OAuthRig();
    const { code, ...begun } = await rig.allow();
    const other = await rig.register();
    expect(await refusalOf(await rig.exchange(begun, code, { client_id: other }))).toBe("400 invalid_grant");
  });

  test("that is used a second time gives no token, and ends what it gave before", async () => {
    const rig = new OAuthRig();
    const { code, ...begun } = await rig.allow();
    const { access_token: token } = (await (await rig.exchange(begun, code)).json()) as { access_token: string };
    expect(await rig.verify(token)).toBeDefined();
    expect(await refusalOf(await rig.exchange(begun, code))).toBe("400 invalid_grant");
    expect(await rig.verify(token)).toBeUndefined();
  });

  test("that two requests bring at the same time gives at most one of them a token", async () => {
    for (let round = 0; round < 10; round += 1) {
      const rig = new OAuthRig();
      const { code, ...begun } = await rig.allow();
      const answers = await Promise.all([1, 2, 3].map(() => rig.exchange(begun, code)));
      expect(answers.filter(({ ok }) => ok).length).toBeLessThanOrEqual(1);
    }
  });

  test("gives no token after ten minutes", async () => {
    const rig = new OAuthRig();
    const { code, ...begun } = await rig.allow();
    rig.clock.advance(10 * 60_000);
    expect(await refusalOf(await rig.exchange(begun, code))).toBe("400 invalid_grant");
  });
});

describe("an access token", () => {
  test("for one relay opens no other one, nor this one under another name of the server", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn();
    expect(await rig.verify(tokens.access_token)).toBeDefined();
    expect(await rig.verify(tokens.access_token, "mail")).toBeUndefined();
    expect(await rig.oauth.verify("https://other.example/api/mcp/id/files", tokens.access_token)).toBeUndefined();
  });

  test("that was changed, and a refresh token in its place, open nothing", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn();
    const { access_token: token } = tokens;
    const changed = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    for (const wrong of [changed, tokens.refresh_token, `${token}A`, "", "a:b:c", "x".repeat(100_000), "::"])
      expect(await rig.verify(wrong)).toBeUndefined();
  });

  test("ends after its life, and with its grant", async () => {
    const rig = new OAuthRig();
    const { tokens } = await rig.signIn();
    rig.clock.advance(59 * 60_000);
    expect(await rig.verify(tokens.access_token)).toBeDefined();
    rig.clock.advance(60_000);
    expect(await rig.verify(tokens.access_token)).toBeUndefined();

    const other = await rig.signIn();
    const granted = await rig.verify(other.tokens.access_token);
    await rig.oauth.grants.revoke(granted?.grantId ?? "");
    expect(await rig.verify(other.tokens.access_token)).toBeUndefined();
    expect(await refusalOf(await rig.refresh(other.clientId, other.tokens.refresh_token))).toBe("400 invalid_grant");
  });
});

describe("a refresh token", () => {
  test("of another client or for another relay gives no token", async () => {
    const rig = new OAuthRig();
    const { clientId, tokens } = await rig.signIn();
    const other = await rig.register();
    expect(await refusalOf(await rig.refresh(other, tokens.refresh_token))).toBe("400 invalid_grant");
    const resource = `${ORIGIN}/api/mcp/id/mail/mcp`;
    expect(await refusalOf(await rig.refresh(clientId, tokens.refresh_token, { resource }))).toBe("400 invalid_target");
  });

  test("is replaced when it is used, and refused once its successor was used", async () => {
    const rig = new OAuthRig();
    const { clientId, tokens } = await rig.signIn();
    const second = (await (await rig.refresh(clientId, tokens.refresh_token)).json()) as typeof tokens;
    expect(second.refresh_token).not.toBe(tokens.refresh_token);
    // A client whose answer was lost may try again, until its new token has arrived.
    const third = (await (await rig.refresh(clientId, second.refresh_token)).json()) as typeof tokens;
    expect(await refusalOf(await rig.refresh(clientId, tokens.refresh_token))).toBe("400 invalid_grant");
    expect((await rig.refresh(clientId, third.refresh_token)).status).toBe(200);
  });

  test("gives no token once the holder's key has ended, and ends its grant", async () => {
    const rig = new OAuthRig();
    const { clientId, tokens } = await rig.signIn();
    rig.access = (holder) => (holder.name === ANN.name ? { kind: "ended" } : { kind: "no_relay" });
    expect(await refusalOf(await rig.refresh(clientId, tokens.refresh_token))).toBe("400 invalid_grant");
    expect(rig.oauth.grants.list()).toEqual([]);
    expect(await rig.verify(tokens.access_token)).toBeUndefined();
  });
});

describe("the records", () => {
  test("have neither codes, nor tokens, nor keys, nor secrets of clients", async () => {
    const saved: string[] = [];
    const keep = {
      load: () => [],
      save: (row: object) => void saved.push(JSON.stringify(row)),
      remove: () => {},
    };
    const rig = new OAuthRig({ keep });
    const answer = await rig.handle("/register", {
      method: "POST",
      body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "client_secret_post" }),
      headers: { "content-type": "application/json" },
    });
    const { client_id: id = "", client_secret: secret = "" } = (await answer.json()) as Record<string, string>;
    const { code, ...begun } = await rig.allow({ client_id: id });
    const tokens = (await (await rig.exchange(begun, code, { client_secret: secret })).json()) as Record<string, string>;
    const all = saved.join("\n");
    expect(saved.length).toBeGreaterThan(3);
    for (const text of [code, secret, KEY, tokens["access_token"] ?? "", tokens["refresh_token"] ?? ""]) {
      expect(text.length).toBeGreaterThan(10);
      expect(all).not.toContain(text);
    }
  });

  test("of clients that nobody has let in make room for others, and those of others stay", async () => {
    const rig = new OAuthRig();
    const used = await rig.signIn();
    const first = await rig.register();
    for (let index = 0; index < 10_000; index += 1)
      await rig.oauth.table.put({ name: `client:x${index}`, value: "{}", expiresAt: undefined }, undefined);
    const last = await rig.register();
    expect((await rig.refresh(used.clientId, used.tokens.refresh_token)).status).toBe(200);
    expect((await rig.open({ client_id: first })).page.status).toBe(400);
    expect((await rig.open({ client_id: last })).page.status).toBe(200);
  }, 20_000);
});
