import { expect, test } from "bun:test";
import { OAuthRig, ORIGIN } from "../../support/oauth-rig.ts";

test("a token that is sent to a name with plain http is refused, and is no failure of the server", async () => {
  const rig = new OAuthRig();
  const { tokens } = await rig.signIn();
  expect(await rig.oauth.verify("http://10.0.0.5:8080/api/mcp/id/files/mcp", tokens.access_token)).toBeUndefined();
});
test("repeated resource", async () => {
  const rig = new OAuthRig();
  const { page } = await rig.open();
  const id = await rig.register();
  const q = new URLSearchParams({response_type:"code", client_id:id, redirect_uri:"http://127.0.0.1:33418/callback", code_challenge:"x".repeat(43), code_challenge_method:"S256"});
  q.append("resource", `${ORIGIN}/api/mcp/id/files/mcp`); q.append("resource", `${ORIGIN}/api/mcp/id/mail/mcp`);
  const r = await rig.handle(`/authorize?${q}`);
  console.log(r.status, r.headers.get("location"));
  const q2 = new URLSearchParams(q); q2.delete("resource"); 
  const r2 = await rig.handle(`/authorize?${q2}`);
  console.log(r2.status, r2.headers.get("location"));
  const q3 = new URLSearchParams(q2); q3.set("resource", "https://evil.example/api/mcp/id/files/mcp");
  const r3 = await rig.handle(`/authorize?${q3}`); console.log(r3.status, r3.headers.get("location"));
  const q4 = new URLSearchParams(q2); q4.set("resource", `${ORIGIN}/api/mcp/id/files/mcp`); q4.set("code_challenge_method","plain");
  const r4 = await rig.handle(`/authorize?${q4}`); console.log(r4.status, r4.headers.get("location"));
  q4.delete("code_challenge_method");
  const r5 = await rig.handle(`/authorize?${q4}`); console.log(r5.status, r5.headers.get("location"));
  // unknown client with url
  for (const c of ["https://evil.example/x", "grant:x", "__proto__", "a:b"]) { q4.set("client_id", c); const r = await rig.handle(`/authorize?${q4}`); console.log(c, r.status); }
  for (const body of ["grant_type=authorization_code&code=a:b:c&client_id="+id, "token=a:b:c&client_id="+id, "grant_type=refresh_token&refresh_token=__proto__:x:y&client_id="+id, "client_id="+id]) {
    const r = await rig.handle("/token", {method:"POST", body, headers:{"content-type":"application/x-www-form-urlencoded"}}); console.log(body, r.status, await r.text()); }
  const r6 = await rig.handle("/register", {method:"POST", body: JSON.stringify({redirect_uris:["cursor://anysphere.cursor-retrieval/oauth/callback"], token_endpoint_auth_method:"none"}), headers:{"content-type":"application/json"}}); console.log("cursor", r6.status, await r6.text());
});
