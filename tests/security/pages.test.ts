import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../support/default-config.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

// What pages of other sites can do in a browser that reaches this server: with keys nothing, since they have none, and
// without keys nothing either.

let server: TestServer;
afterEach(() => server.stop());

const OPEN: Partial<Config> = { apiKeys: [], clientKeys: [], plugins: ["llm", "mcp", "transfer"] };
const EVIL = "https://evil.example";

async function codeOf(path: string, headers: Record<string, string>, method = "GET"): Promise<string> {
  const answer = await fetch(`${server.url}${path}`, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) });
  if (answer.ok) return "let in";
  // Every error has a code; MCP's has it in another place.
  return /"code":"(\w+)"/.exec(await answer.text())?.[1] ?? `status ${answer.status}`;
}

const PATHS = [
  ["GET", "/v1/models"],
  ["POST", "/v1/chat/completions"],
  ["GET", "/api/state"],
  ["POST", "/api/transfer"],
  ["POST", "/api/mcp/id/tools"],
  ["POST", "/api/state/workers/w/drain"],
] as const;

describe("a server without keys, which serves this machine only,", () => {
  test.each(PATHS)("refuses %s %s to a page of another site", async (method, path) => {
    server = new TestServer(OPEN);
    expect(await codeOf(path, { origin: EVIL }, method)).toBe("origin_not_allowed");
  });

  test.each(PATHS.filter(([, path]) => !path.includes("mcp")))(
    "refuses %s %s to a page whose host name was pointed at this machine",
    async (method, path) => {
      server = new TestServer(OPEN);
      const host = "rebound.evil.example:8080";
      expect(await codeOf(path, { host, origin: `http://${host}` }, method)).toBe("host_not_allowed");
      expect(await codeOf(path, { host }, method)).toBe("host_not_allowed");
    },
  );

  test("shows no form to a page whose host name was pointed at this machine", async () => {
    server = new TestServer(OPEN);
    expect(await codeOf("/state", { host: "rebound.evil.example:8080" })).toBe("host_not_allowed");
  });

  test("accepts no worker from a web page", async () => {
    server = new TestServer(OPEN);
    const headers = { upgrade: "websocket", connection: "upgrade", origin: EVIL };
    expect(await codeOf("/api/llm/connect", headers)).toBe("origin_not_allowed");
    const worker = new NativeWorker({ url: server.url, register: { models: ["m"] }, headers: { origin: EVIL } });
    await worker.closed;
    expect((await server.state()).workers).toEqual([]);
  });

  test.each([
    "localhost:8080",
    "127.0.0.1:8080",
    "[::1]:8080",
    "box",
    "box.local",
    "host.docker.internal:8080",
    "10.0.0.5",
  ])("answers under the name %s, which nobody else can own", async (host) => {
    server = new TestServer(OPEN);
    expect(await codeOf("/v1/models", { host })).toBe("let in");
  });

  test("answers under its configured names and to its allowed pages", async () => {
    server = new TestServer({
      ...OPEN,
      publicUrl: "https://models.example.com",
      allowedHosts: ["other.example.com"],
      allowedOrigins: ["https://app.example.com"],
    });
    for (const host of ["models.example.com", "other.example.com:443"])
      expect(await codeOf("/v1/models", { host, origin: "https://app.example.com" })).toBe("let in");
    expect(await codeOf("/v1/models", { host: "models.example.com", origin: EVIL })).toBe("origin_not_allowed");
  });
});

describe("a server with keys", () => {
  test("is not opened by anything that a browser sends by itself", async () => {
    server = new TestServer();
    const signedIn = await fetch(`${server.url}/state/sign-in`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ key: API_KEY }),
    });
    const cookie = signedIn.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Strict/i);
    const sent = { cookie: cookie.split(";")[0] ?? "" };
    expect(await codeOf("/api/state", sent)).toBe("let in");
    // The sign-in opens the dashboard's own routes, but not to pages of other sites.
    expect(await codeOf("/v1/models", sent)).toBe("invalid_api_key");
    expect(await codeOf("/api/state/workers/w/drain", { ...sent, origin: EVIL }, "POST")).toBe("origin_not_allowed");
    expect(await codeOf("/api/state/token", { ...sent, "sec-fetch-site": "cross-site" }, "POST")).toBe(
      "origin_not_allowed",
    );
    const asked = await fetch(`${server.url}/api/state`, { headers: { ...sent, origin: EVIL } });
    expect(asked.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("accepts no worker from a web page, which has no key", async () => {
    server = new TestServer();
    const worker = new NativeWorker({ url: server.url, register: { models: ["m"] }, headers: { origin: EVIL } });
    expect(await worker.closed).toMatchObject({ code: 1008 });
    const right = await NativeWorker.connect({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
    right.close();
  });
});

describe("a server behind a proxy that gives its users roles", () => {
  const ROLES: Partial<Config> = {
    plugins: ["llm", "transfer"],
    apiRoles: ["user"],
    clientRoles: ["gpu"],
    adminRoles: ["boss"],
    trustedProxies: ["127.0.0.1"],
  };
  const ALL = { "x-user-roles": "user, gpu, boss" };
  const CALLED = PATHS.filter(([, path]) => !path.includes("mcp"));

  test.each(CALLED)("refuses %s %s to another site's page in a user's browser", async (method, path) => {
    server = new TestServer(ROLES);
    expect(await codeOf(path, { ...ALL, origin: EVIL }, method)).toBe("origin_not_allowed");
    const { host } = new URL(server.url);
    const own = await codeOf(path, { ...ALL, origin: `https://${host}` }, method);
    expect(["let in", "invalid_request", "worker_not_found"]).toContain(own);
  });

  test("accepts no worker from another site's page in a user's browser", async () => {
    server = new TestServer(ROLES);
    const register = { models: ["m"] };
    const page = new NativeWorker({ url: server.url, register, headers: { ...ALL, origin: EVIL } });
    await page.closed;
    expect((await server.fetch("/v1/models/m")).status).toBe(404);
    const right = await NativeWorker.connect({ url: server.url, register, headers: ALL });
    expect((await server.fetch("/v1/models/m")).status).toBe(200);
    right.close();
  });
});
