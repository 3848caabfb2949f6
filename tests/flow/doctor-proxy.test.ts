import { afterEach, describe, expect, test } from "bun:test";
import { loadDoctorSettings } from "../../src/doctor/args.ts";
import { examine } from "../../src/doctor/doctor.ts";
import { toTarget } from "../../src/doctor/target.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { VERSION } from "../../src/system/version.ts";
import { FAR_HOST, ScriptedProxy, startTinyproxy } from "../support/forward-proxy.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { createSelfSigned } from "../support/self-signed.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

const PASSWORD = "pa55word";
const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function use<T extends { stop(): Promise<unknown> }>(each: T): T {
  running.push(each);
  return each;
}

async function examined(port: number, proxy: string, scheme = "http") {
  const given = { SERVER_URL: `${scheme}://${FAR_HOST}:${port}`, CLIENT_KEY, API_KEY, DOCTOR_IDLE: "0" };
  const env = { ...given, [`${scheme.toUpperCase()}_PROXY`]: proxy };
  const loaded = loadDoctorSettings({ argv: [], env, readFile: () => "", version: VERSION });
  if (loaded.kind !== "ready") throw new Error("the settings are not valid");
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const results = await examine(toTarget(loaded.config), VERSION, deps);
  expect(JSON.stringify(results)).not.toContain(PASSWORD);
  return Object.fromEntries(results.map((result) => [result.id, result]));
}

test.skipIf(lacks("the doctor's TLS check behind a proxy", PROGRAMS.openssl))(
  "the doctor examines the server's certificate inside the tunnel of a proxy",
  async () => {
    const certificate = createSelfSigned(30);
    const { key, cert } = certificate;
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: { key, cert }, fetch: () => new Response("") });
    use({ stop: () => server.stop(true) });
    use({ stop: async () => certificate.remove() });
    const proxy = use(await ScriptedProxy.start());
    const { tcp, tls } = await examined(server.port ?? 0, proxy.url, "https");
    expect(tcp?.verdict).toBe("good");
    expect(tls).toMatchObject({ verdict: "bad", advice: expect.stringContaining("NODE_EXTRA_CA_CERTS") });
    expect(tls?.measured).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
  },
  30_000,
);

describe.skipIf(lacks("the doctor behind tinyproxy", PROGRAMS.tinyproxy))("the doctor, behind tinyproxy,", () => {
  async function startProxy(options: { readonly connectPort?: number } = {}) {
    const upstream = use(await ScriptedProxy.start());
    const { port } = use(await startTinyproxy({ upstream, credentials: `ann ${PASSWORD}`, ...options }));
    return (credentials: string): string => `http://${credentials}@127.0.0.1:${port}`;
  }

  test("uses the worker's proxy for every check, and finds nothing that fails", async () => {
    const server = use(new TestServer({ plugins: ["llm", "transfer"], authFailuresPerMinute: 0 }));
    const proxyUrl = await startProxy();
    const results = await examined(server.listening.port, proxyUrl(`ann:${PASSWORD}`));
    expect(results["dns"]?.measured).toBe("the proxy 127.0.0.1 is an address");
    expect(results["tcp"]?.measured).toContain(`connects to ${FAR_HOST}, port ${server.listening.port}`);
    for (const id of ["tcp", "health", "websocket", "client_key", "api_key", "job", "streaming"])
      expect([id, results[id]?.verdict, results[id]?.measured]).toEqual([id, "good", expect.any(String)]);
  }, 60_000);

  test("says that the proxy wants other credentials", async () => {
    const server = use(new TestServer());
    const proxyUrl = await startProxy();
    const { tcp, health } = await examined(server.listening.port, proxyUrl("ann:wrong"));
    expect(tcp).toMatchObject({ verdict: "bad", advice: expect.stringContaining("user name and password") });
    expect(health?.verdict).toBe("skipped");
  });

  test("says that the proxy does not let it through to that port", async () => {
    const server = use(new TestServer());
    const proxyUrl = await startProxy({ connectPort: 443 });
    const { tcp } = await examined(server.listening.port, proxyUrl(`ann:${PASSWORD}`));
    expect(tcp).toMatchObject({ verdict: "bad", advice: expect.stringContaining("CONNECT") });
  });
});
