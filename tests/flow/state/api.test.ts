import { afterAll, describe, expect, test } from "bun:test";
import { type AnyElysia, Elysia } from "elysia";
import { createAuth } from "../../../src/auth/auth.ts";
import { Fault } from "../../../src/errors.ts";
import { errorResponse } from "../../../src/http/error-response.ts";
import { healthRoutes } from "../../../src/http/health.ts";
import { createListener } from "../../../src/http/listener.ts";
import { createVisit } from "../../../src/http/visit.ts";
import type { Plugin } from "../../../src/plugin/contract.ts";
import { NO_VISIT } from "../../../src/plugin/route-context.ts";
import { stateRoutes } from "../../../src/state/routes.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { type Config, defaultConfig } from "../../support/default-config.ts";
import { stillOverview } from "../../support/still-overview.ts";

const KEY = "state-key";
const EVIL = "<script>alert(1)</script>";

function plugin(id: string, view?: () => string): Plugin {
  return {
    id,
    routes: new Elysia(),
    reports: { state: () => ({ workers: [{ name: EVIL }] }), revision: 1 },
    ...(view ? { section: { label: id, render: view } } : {}),
  };
}

function serve(overrides: Partial<Config>) {
  const config = defaultConfig({ apiKeys: [KEY], authFailuresPerMinute: 3, ...overrides });
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const plugins = [plugin("llm", () => "<p>two workers</p>"), plugin("mcp")];
  const listener = createListener(() => elysia.server);
  const api = stateRoutes({
    config,
    deps,
    auth: createAuth(config, deps, { idleTimeouts: listener }),
    listener,
    plugins,
    version: "1.2.3",
    overview: stillOverview(plugins, deps, config),
  });
  const elysia: AnyElysia = new Elysia({ serve: { reusePort: false, development: false } })
    .decorate("visit", NO_VISIT)
    .onRequest((context) => {
      context.visit = createVisit(context.request, "r", listener);
    })
    .onError(({ error }) =>
      error instanceof Fault ? errorResponse(error, "r") : new Response("none", { status: 404 }),
    )
    .use(api.routes)
    .listen({ port: 0, hostname: "127.0.0.1" });
  const url = `http://127.0.0.1:${elysia.server?.port}`;
  return {
    get: (path: string, headers: Record<string, string> = {}) => fetch(url + path, { headers }),
    post: (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
      fetch(url + path, { method: "POST", body: new URLSearchParams(form), headers, redirect: "manual" }),
    stop: async () => {
      api.close();
      await elysia.stop(true);
    },
  };
}

const withKey = { authorization: `Bearer ${KEY}` };
const server = serve({});
afterAll(() => server.stop());

describe("the State API", () => {
  test("answers with one envelope that holds each plugin's state under the plugin's id", async () => {
    const response = await server.get("/api/state", withKey);
    expect(response.headers.get("content-type")).toBe("application/json");
    const state = { workers: [{ name: EVIL }] };
    expect(await response.json()).toEqual({ server: expect.any(Object), plugins: { llm: state, mcp: state } });
  });
  test.each([
    "/api/state",
    "/api/state/history",
    "/api/state/stream",
    "/api/state/view/llm.html",
    "/api/state/view/none.html",
  ])("reveals nothing to a stranger at %s", async (path) => {
    const response = await server.get(path);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
  });
  test("answers with a plugin's fragment as HTML without scripts", async () => {
    const response = await server.get("/api/state/view/llm.html", withKey);
    expect(await response.text()).toBe("<p>two workers</p>");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });
  test.each(["mcp.html", "none.html", "llm", "llm.htm", "..%2fllm.html"])("has no fragment %s", async (file) => {
    const response = await server.get(`/api/state/view/${file}`, withKey);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
  });
});

describe("the state page", () => {
  test("asks a stranger for the key and shows nothing else", async () => {
    const response = await server.get("/state");
    expect(response.status).toBe(200);
    const html = await response.text();
    expect(html).toContain('action="/state/sign-in"');
    expect(html).not.toContain("workers");
  });

  test("is shown from the sign-in to the sign-out", async () => {
    const signedIn = await server.post("/state/sign-in", { key: KEY });
    expect(signedIn.status).toBe(303);
    expect(signedIn.headers.get("location")).toBe("/state");
    const set = signedIn.headers.get("set-cookie") ?? "";
    expect(set).toContain("HttpOnly; SameSite=Strict");
    expect(set).not.toContain(KEY);
    const cookie = { cookie: set.split(";")[0] ?? "" };

    const page = await server.get("/state", cookie);
    const html = await page.text();
    expect(html).toContain('x-later="llm"');
    expect(html).toContain('<script type="application/json" id="boot">{"state":');
    expect(html).not.toContain(EVIL);
    expect((await server.get("/api/state", cookie)).status).toBe(200);

    const signedOut = await server.post("/state/sign-out", {}, cookie);
    expect(signedOut.headers.get("set-cookie")).toContain("Max-Age=0");
    expect((await server.get("/api/state", cookie)).status).toBe(401);
  });

  test("allows only its own scripts, and cannot be framed", async () => {
    const policy = (await server.get("/state")).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
  });

  test("loads its scripts and styles from this server, also for strangers", async () => {
    const html = await (await server.get("/state")).text();
    const paths = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = ""]) => path);
    expect(paths.length).toBeGreaterThan(1);
    for (const path of paths) expect((await server.get(path)).status).toBe(200);
  });

  test("refuses a form sent from another site", async () => {
    const response = await server.post("/state/sign-in", { key: KEY }, { "sec-fetch-site": "cross-site" });
    expect(response.status).toBe(403);
    expect(response.headers.get("set-cookie")).toBeNull();
  });

  test("refuses an overlong form", async () => {
    expect((await server.post("/state/sign-in", { key: "x".repeat(5000) })).status).toBe(413);
  });

  test("reports a wrong key, and after too many of them how long to wait", async () => {
    const guarded = serve({});
    for (let i = 0; i < 3; i += 1) {
      const response = await guarded.post("/state/sign-in", { key: "wrong" });
      expect(response.status).toBe(401);
      expect(await response.text()).toContain("not a valid API key");
    }
    const refused = await guarded.post("/state/sign-in", { key: "wrong" });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("set-cookie")).toBeNull();
    const right = await guarded.post("/state/sign-in", { key: KEY });
    expect(right.headers.get("set-cookie")).toContain("moorage_session=");
    await guarded.stop();
  });

  test("needs no sign-in on a server without keys and roles", async () => {
    const open = serve({ apiKeys: [] });
    const html = await (await open.get("/state")).text();
    expect(html).toContain('x-later="llm"');
    expect(html).not.toContain("/state/sign-out");
    await open.stop();
  });
});

test("the health check says how the cluster is, and answers 200 whatever is wrong with it", async () => {
  const cluster = { server: "ab", servers: 1, peers_lost: 2, bus: "away", is_whole: false } as const;
  const app = healthRoutes(
    () => false,
    () => cluster,
  );
  const answer = await app.handle(new Request("http://localhost/healthz"));
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ status: "ok", cluster });
});

test("the health check answers ok until the server drains", async () => {
  let isDraining = false;
  const app = healthRoutes(() => isDraining);
  const ask = (): Promise<Response> => app.handle(new Request("http://localhost/healthz"));
  expect(await (await ask()).json()).toEqual({ status: "ok" });
  isDraining = true;
  const draining = await ask();
  expect(draining.status).toBe(503);
  expect(await draining.json()).toEqual({ status: "draining" });
});
