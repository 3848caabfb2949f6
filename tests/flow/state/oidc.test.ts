import { afterEach, describe, expect, test } from "bun:test";
import { ACTIONS } from "../../../src/state/actions.ts";
import type { Deps } from "../../../src/system/deps.ts";
import { AreaCluster } from "../../support/area-cluster.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MockIssuer, OIDC_CLIENT } from "../../support/mock-issuer.ts";
import { callBack, comeBack, cookieIn, problemIn, signInBy } from "../../support/oidc-client.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

const ADMIN_KEY = "test-admin-key";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

async function startIssuer(options: { readonly port?: number } = {}): Promise<MockIssuer> {
  const issuer = await MockIssuer.start(options);
  running.push(issuer);
  return issuer;
}

function start(issuer: Pick<MockIssuer, "settings">, overrides: Partial<Config> = {}, deps: Partial<Deps> = {}) {
  const server = new TestServer({ ...issuer.settings, ...overrides }, deps);
  running.push(server);
  return server;
}

async function asViewer(issuer: MockIssuer, server: TestServer): Promise<string> {
  issuer.user = { sub: "u-2", groups: ["gpu-viewers"] };
  return signInBy(server.url);
}

async function codeOf(answer: Response): Promise<string> {
  const { error } = (await answer.json()) as { error?: { code?: string } }; // every error has this shape
  return `${answer.status} ${error?.code}`;
}

const statusOf = async (url: string, cookie: string): Promise<number> => {
  const answer = await fetch(url, { headers: { cookie } });
  await answer.body?.cancel();
  return answer.status;
};

/** The codes of the problems that a server reports. */
async function problemsOf(server: TestServer): Promise<readonly string[]> {
  const answer = await fetch(`${server.url}/api/state`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  const { server: state } = (await answer.json()) as { server: { problems: { code: string }[] } }; // held by its own tests
  return state.problems.map(({ code }) => code);
}

describe("an admin of the issuer", () => {
  test("sees the state, acts, tries the API, and is named in the trail", async () => {
    const issuer = await startIssuer();
    const server = start(issuer);
    await server.worker({ worker_id: "gpu" });
    const headers = { cookie: await signInBy(server.url) };
    expect(await statusOf(`${server.url}/api/state`, headers.cookie)).toBe(200);
    const drained = await fetch(`${server.url}/api/state/workers/gpu/drain`, { method: "POST", headers });
    expect(drained.status).toBe(200);
    const issued = await fetch(`${server.url}/api/state/token`, { method: "POST", headers });
    const { token } = (await issued.json()) as { token: string }; // held by its own tests
    const models = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
    expect(models.status).toBe(200);
    const trail = (await (await fetch(`${server.url}/api/audit`, { headers })).json()) as { data: object[] };
    expect(trail.data).toMatchObject([
      { who: "oidc:ada@example.com", what: "worker.drain" },
      { who: "oidc:ada@example.com", what: "sign_in", detail: { role: "admin" } },
    ]);
  });

  test("is signed out by the sign-out, here and at every server of the cluster", async () => {
    const issuer = await startIssuer();
    const cluster = await AreaCluster.start(["a", "b"], issuer.settings);
    running.push(cluster);
    const [a, b] = [cluster.at("a").server, cluster.at("b").server];
    const cookie = await signInBy(a.url);
    expect([await statusOf(`${a.url}/api/state`, cookie), await statusOf(`${b.url}/api/state`, cookie)]).toEqual([
      200, 200,
    ]);
    await fetch(`${a.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    expect(await statusOf(`${a.url}/api/state`, cookie)).toBe(401);
    await eventually(async () => (await statusOf(`${b.url}/api/state`, cookie)) === 401);
  });

  test("is signed out after twelve hours", async () => {
    const clock = new FakeClock();
    const server = start(await startIssuer(), {}, { clock });
    const cookie = await signInBy(server.url);
    clock.advance(12 * 60 * 60_000 - 1);
    expect(await statusOf(`${server.url}/api/state`, cookie)).toBe(200);
    clock.advance(1);
    expect(await statusOf(`${server.url}/api/state`, cookie)).toBe(401);
  });
});

describe("a viewer of the issuer", () => {
  test("sees everything that operators see", async () => {
    const issuer = await startIssuer();
    const server = start(issuer);
    const cookie = await asViewer(issuer, server);
    for (const path of [
      "/state",
      "/api/state",
      "/api/state/stream",
      "/api/state/history",
      "/api/usage",
      "/api/state/jobs",
    ])
      expect([path, await statusOf(`${server.url}${path}`, cookie)]).toEqual([path, 200]);
    const page = await (await fetch(`${server.url}/state`, { headers: { cookie } })).text();
    expect(page).toContain('data-role="viewer"');
  });

  test("is refused every action and the token for trials", async () => {
    const issuer = await startIssuer();
    const server = start(issuer);
    const worker = await server.worker({ worker_id: "gpu" });
    const headers = { cookie: await asViewer(issuer, server) };
    const actions = ACTIONS.map(({ target, name }) => ["POST", `/api/state/${target}s/gpu/${name}`] as const);
    expect(actions.length).toBeGreaterThan(4);
    const keys = [
      ["POST", "/api/keys"],
      ["PATCH", "/api/keys/k"],
      ["DELETE", "/api/keys/k"],
      ["POST", "/api/keys/k/rotate"],
    ] as const;
    for (const [method, path] of [...actions, ...keys, ["POST", "/api/state/token"]] as const) {
      const answer = await fetch(`${server.url}${path}`, { method, headers });
      expect([path, await codeOf(answer)]).toEqual([path, "403 viewer_not_allowed"]);
    }
    expect(await server.app.plugins[0]?.workers?.knowsWorker("gpu")).toBe(true);
    worker.close();
  });
});

describe("a server with an issuer", () => {
  test("opens its dashboard to no API key, and to admin keys as before", async () => {
    const server = start(await startIssuer(), { adminKeys: [ADMIN_KEY] });
    expect((await server.fetch("/api/state")).status).toBe(401);
    const byKey = { headers: { authorization: `Bearer ${ADMIN_KEY}` } };
    expect((await fetch(`${server.url}/api/state`, byKey)).status).toBe(200);
    const body = (key: string) => new URLSearchParams({ key, to: "/state?server=a" });
    const signIn = (key: string): Promise<Response> =>
      fetch(`${server.url}/state/sign-in`, { method: "POST", body: body(key), redirect: "manual" });
    expect((await signIn(API_KEY)).status).toBe(401);
    const signedIn = await signIn(ADMIN_KEY);
    expect([signedIn.status, signedIn.headers.get("location")]).toEqual([303, "/state?server=a"]);
    expect(await problemsOf(server)).not.toContain("admin_key_not_set");
  });

  test("leads back to the page that was asked for", async () => {
    const server = start(await startIssuer());
    const page = await (await fetch(`${server.url}/state?server=all`)).text();
    const href = /href="(\/state\/oidc\/sign-in[^"]*)"/.exec(page)?.[1] ?? "";
    expect(page).toContain(`Sign in with ${new URL(server.config.oidcIssuer ?? "").host}`);
    expect(page).not.toContain('id="key"');
    const to = new URL(href, server.url).searchParams.get("to") ?? "";
    const answer = await callBack(await comeBack(server.url, to));
    expect(await answer.text()).toContain('content="0;url=/state?server=all"');
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
  });

  test("ends a sign-in that was begun at another server of its cluster", async () => {
    const issuer = await startIssuer();
    const [first, second] = [start(issuer), start(issuer)];
    const { callback, cookie } = await comeBack(first.url);
    const answer = await callBack({ callback: callback.replace(first.url, second.url), cookie });
    const signIn = cookieIn(answer, "moorage_session");
    for (const server of [first, second]) expect(await statusOf(`${server.url}/api/state`, signIn)).toBe(200);
  });

  test("accepts claims that only the userinfo endpoint tells", async () => {
    const issuer = await startIssuer();
    issuer.user = { sub: "u-1" };
    issuer.userInfo = { groups: ["gpu-admins"], email: "grace@example.com", email_verified: true };
    const server = start(issuer);
    const cookie = await signInBy(server.url);
    expect(await statusOf(`${server.url}/api/state`, cookie)).toBe(200);
  });

  test("asks the issuer for the scopes that it lists, and to come back by the address that the browser sees", async () => {
    const server = start(await startIssuer());
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "gpu.example.com" };
    const begun = await fetch(`${server.url}/state/oidc/sign-in`, { headers, redirect: "manual" });
    const { searchParams } = new URL(begun.headers.get("location") ?? "");
    expect(searchParams.get("redirect_uri")).toBe("https://gpu.example.com/state/oidc/callback");
    expect(searchParams.get("scope")).toBe("openid email groups");
    expect(begun.headers.get("set-cookie")).toMatch(/; HttpOnly; SameSite=Lax; Secure$/);
    const named = start({ settings: server.config }, { publicUrl: "https://public.example.com", port: 0 });
    expect(await (await fetch(`${named.url}/state`)).text()).toContain("https://public.example.com/state/oidc/sign-in");
    const again = await fetch(`${named.url}/state/oidc/sign-in`, { redirect: "manual" });
    expect(again.headers.get("location")).toContain(
      encodeURIComponent("https://public.example.com/state/oidc/callback"),
    );
  });
});

describe("an issuer that does not answer", () => {
  test("when the server starts keeps nobody with a key out, and is used as soon as it answers", async () => {
    const gone = await MockIssuer.start();
    const { url, settings } = gone;
    await gone.stop();
    const clock = new FakeClock();
    const server = start({ settings }, { adminKeys: [ADMIN_KEY] }, { clock });
    const begun = await fetch(`${server.url}/state/oidc/sign-in`, { redirect: "manual" });
    expect([begun.status, begun.headers.get("retry-after")]).toEqual([503, "30"]);
    expect(await problemIn(begun)).toContain("does not answer");
    clock.advance(1000);
    expect(await problemsOf(server)).toContain("oidc_unreachable");
    const issuer = await startIssuer({ port: Number(new URL(url).port) });
    clock.advance(30_000);
    await eventually(() => issuer.requests.includes("/.well-known/openid-configuration"));
    expect(await signInBy(server.url)).not.toBe("");
    clock.advance(1000);
    expect(await problemsOf(server)).not.toContain("oidc_unreachable");
  });

  test("any more is a problem on the dashboard, and ends no sign-in", async () => {
    const issuer = await startIssuer();
    const clock = new FakeClock();
    const server = start(issuer, { adminKeys: [ADMIN_KEY] }, { clock });
    const signedIn = await signInBy(server.url);
    const returned = await comeBack(server.url);
    issuer.instead = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
    const answer = await callBack(returned);
    expect([answer.status, await problemIn(answer)]).toEqual([
      503,
      "The issuer does not answer as it should. Try again in a moment.",
    ]);
    clock.advance(1000);
    expect(await problemsOf(server)).toContain("oidc_unreachable");
    expect(await statusOf(`${server.url}/api/state`, signedIn)).toBe(200);
    issuer.instead = undefined;
    clock.advance(30_000);
    await eventually(async () => {
      clock.advance(1000);
      return !(await problemsOf(server)).includes("oidc_unreachable");
    });
  });
});

describe("an issuer that refuses this server", () => {
  test("because of a wrong client secret is a problem on the dashboard", async () => {
    const issuer = await startIssuer();
    const clock = new FakeClock();
    const wrong = { adminKeys: [ADMIN_KEY], oidcClientSecret: "not-the-secret-of-this-client" };
    const server = start(issuer, wrong, { clock });
    const answer = await callBack(await comeBack(server.url));
    expect(answer.status).toBe(502);
    const problem = await problemIn(answer);
    expect(problem).toContain("OIDC_CLIENT_SECRET");
    expect(problem).not.toContain(OIDC_CLIENT.secret);
    clock.advance(1000);
    expect(await problemsOf(server)).toContain("oidc_refused");
  });
});

test("a server without an issuer has no way to sign in by one", async () => {
  const server = start({ settings: {} });
  for (const path of ["sign-in", "callback"])
    expect(await codeOf(await fetch(`${server.url}/state/oidc/${path}`))).toBe("404 unknown_url");
  expect(await (await fetch(`${server.url}/state`)).text()).not.toContain("oidc");
});
