import { expect, test } from "bun:test";
import { KvFault } from "../../../src/oauth/kv.ts";
import { OAuthRig } from "../../support/oauth-rig.ts";

/** By this id Claude Code introduces itself wherever client ID metadata documents are accepted. */
const CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata";

test.each([
  ["is not valid", 400, () => Promise.resolve(undefined)],
  ["cannot be fetched now", 503, () => Promise.reject(new KvFault("document"))],
])("a document that %s is named on the page, with what the operator can do", async (_what, status, clientAt) => {
  const rig = new OAuthRig({ clientAt });
  const { page } = await rig.open({ client_id: CLAUDE_CODE, redirect_uri: "http://localhost:50057/callback" });
  expect(page.status).toBe(status);
  expect(page.headers.get("location")).toBeNull();
  const text = await page.text();
  expect(text).toMatch(/(could not|cannot) get the document/);
  expect(text).toContain("claude.ai");
  expect(text).toContain("MCP_CLIENT_DOCUMENTS=false");
});

test("another unknown client is not said to have a document", async () => {
  const rig = new OAuthRig({ clientAt: () => Promise.resolve(undefined) });
  const { page } = await rig.open({ client_id: "nobody" });
  expect(page.status).toBe(400);
  expect(await page.text()).not.toContain("document");
});

test("a program whose document names a callback on this machine may use any port of it", async () => {
  const record = JSON.stringify({
    clientId: CLAUDE_CODE,
    clientName: "Claude Code",
    redirectUris: ["http://localhost/callback", "http://127.0.0.1/callback"],
    grantTypes: ["authorization_code", "refresh_token"],
    responseTypes: ["code"],
    tokenEndpointAuthMethod: "none",
  });
  const rig = new OAuthRig({ clientAt: (url) => Promise.resolve(url === CLAUDE_CODE ? record : undefined) });
  const asked = { client_id: CLAUDE_CODE, redirect_uri: "http://localhost:50057/callback" };
  const { code, back, ...begun } = await rig.allow(asked);
  expect(back.origin + back.pathname).toBe(asked.redirect_uri);
  expect((await rig.exchange(begun, code, { redirect_uri: asked.redirect_uri })).status).toBe(200);
  const { page } = await rig.open({ ...asked, redirect_uri: "http://localhost:50057/elsewhere" });
  expect(page.headers.get("location")).toBeNull();
});
