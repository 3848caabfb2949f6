import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Result, Verdict } from "../../src/doctor/check.ts";
import { Checkup } from "../../src/doctor/checkup.ts";
import { examine } from "../../src/doctor/doctor.ts";
import { createPlan } from "../../src/doctor/plan.ts";
import { runChecks } from "../../src/doctor/run.ts";
import { type Target, toTarget } from "../../src/doctor/target.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { VERSION } from "../../src/system/version.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { type Meddling, startMeddlingProxy } from "../support/meddling-proxy.ts";
import { startProxy } from "../support/proxy.ts";
import { createSelfSigned } from "../support/self-signed.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

// A whole run streams for 1.5 s and lets a client leave after half a second.
setDefaultTimeout(30_000);

const deps = { clock: systemClock, ids: systemIds, log: silentLog };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function start(overrides: ConstructorParameters<typeof TestServer>[0] = {}): TestServer {
  const server = new TestServer({ plugins: ["llm", "transfer"], ...overrides });
  cleanups.push(() => server.stop());
  return server;
}

async function behind(server: TestServer, meddling: Meddling): Promise<string> {
  const proxy = await startMeddlingProxy(server.url, meddling);
  cleanups.push(() => proxy.stop());
  return proxy.url;
}

interface Given {
  readonly clientKeys?: readonly string[];
  readonly apiKey?: string | undefined;
  readonly adminKey?: string | undefined;
  /** 0 unless given: nothing is held. */
  readonly idleMs?: number;
}

/** The results by their ids: of all checks, or of one and those that it needs. */
async function examined(server: string, given: Given = {}, id?: string): Promise<Record<string, Result>> {
  const settings = {
    server,
    clientKeys: [CLIENT_KEY],
    apiKey: API_KEY,
    adminKey: undefined,
    httpsProxy: undefined,
    httpProxy: undefined,
    noProxy: undefined,
    idleMs: 0,
    json: "false" as const,
    ...given,
  };
  const target = toTarget(settings);
  const results = id === undefined ? await examine(target, VERSION, deps) : await examineOne(target, id);
  return Object.fromEntries(results.map((result) => [result.id, result]));
}

async function examineOne(target: Target, id: string): Promise<readonly Result[]> {
  const checkup = new Checkup(target, VERSION, deps);
  const plan = createPlan(checkup, VERSION);
  const withNeeds = (wanted: string): readonly string[] => {
    const check = plan.flat().find((each) => each.id === wanted);
    return [wanted, ...(check?.needs ?? []).flatMap(withNeeds)];
  };
  const ids = new Set(withNeeds(id));
  const results = await runChecks(
    plan.map((group) => group.filter((check) => ids.has(check.id))),
    deps.clock,
  );
  await checkup.close();
  return results;
}

/** The ids of the checks with this verdict, in their order. */
function those(results: Record<string, Result>, verdict: Verdict): readonly string[] {
  return Object.values(results).flatMap((result) => (result.verdict === verdict ? [result.id] : []));
}

describe("the doctor, at a server without a proxy,", () => {
  test("passes every check for a healthy server, and leaves it as it was", async () => {
    const server = start();
    const results = await examined(server.url, { idleMs: 1500 });
    expect(those(results, "good")).toEqual(Object.keys(results));
    expect(Object.keys(results)).toHaveLength(19);
    await eventually(async () => (await server.state()).workers.length === 0, "the temporary worker is gone");
    expect((await server.state()).models.filter(({ workers }) => workers > 0)).toEqual([]);
  });

  test("refuses a stranger's job at its own worker, and continues", async () => {
    const server = start();
    const running = examined(server.url, { idleMs: 2000 });
    const model = await eventually(async () => (await server.state()).workers[0]?.models[0], "the worker is there");
    const answer = await server.chat(model);
    expect(answer.status).toBe(404);
    expect(those(await running, "bad")).toEqual([]);
  });

  test("reports a drain, and tries nothing that needs the server", async () => {
    const server = start();
    await server.app.drain();
    const results = await examined(server.url);
    expect(those(results, "bad")).toEqual(["health"]);
    expect(results["health"]?.measured).toContain("draining");
    expect(results["job"]).toMatchObject({ verdict: "skipped", measured: 'skipped because "Health" failed' });
  });

  test("reports a missing llm plugin", async () => {
    const server = start({ plugins: ["transfer"] });
    const { websocket } = await examined(server.url);
    expect(websocket).toMatchObject({ verdict: "bad" });
    expect(websocket?.advice).toContain("PLUGINS");
  });

  test("tests a server for asr alone with an asr worker, without jobs", async () => {
    const server = start({ plugins: ["asr"] });
    const results = await examined(server.url, { idleMs: 200 });
    expect(those(results, "warning")).toEqual(["websocket"]);
    expect(those(results, "bad")).toEqual([]);
    expect(results["quiet_socket"]?.verdict).toBe("good");
    expect(results["job"]?.verdict).toBe("skipped");
  });

  test("distinguishes a body limit of the server from one of a proxy", async () => {
    const server = start({ maxJsonBodyBytes: 1024 * 1024 });
    const { body_size } = await examined(server.url, {}, "body_size");
    expect(body_size?.verdict).toBe("warning");
    expect(body_size?.advice).toContain("MAX_BODY_BYTES");
    expect(body_size?.measured).toContain("900 KiB passes");
  });

  test("distinguishes a stopped server from an unknown host name", async () => {
    const server = start();
    const { url } = server;
    await server.stop();
    const gone = await examined(url);
    expect(gone["tcp"]).toMatchObject({ verdict: "bad" });
    expect(gone["tcp"]?.measured).toContain("ECONNREFUSED");
    // A label of more than 63 characters (RFC 1035 §2.3.4): no resolver is asked for it.
    const nameless = await examined(`http://${"x".repeat(64)}.example`);
    expect(those(nameless, "bad")).toEqual(["dns"]);
    expect(those(nameless, "skipped")).toHaveLength(18);
  });
});

describe("what the doctor leaves behind", () => {
  /** What clients and operators find about models of a doctor. */
  async function traces(server: TestServer): Promise<string> {
    const metrics = await server.fetch("/metrics");
    const models = await server.fetch("/v1/models");
    const { models: shown } = await server.state();
    const lines = (await metrics.text()).split("\n").filter((line) => line.includes("doctor"));
    return JSON.stringify([lines, await models.json(), shown]);
  }

  test("is no model and no series, neither while it runs nor after it", async () => {
    const server = start();
    await server.worker({ models: ["llama"] });
    const running = examined(server.url, {}, "cancel");
    await eventually(async () => (await server.state()).workers.length === 2, "the doctor's worker is there");
    expect(await traces(server)).not.toContain("doctor");
    expect((await running)["job"]?.verdict).toBe("good");
    expect(await traces(server)).not.toContain("doctor");
    expect(await traces(server)).toContain("llama");
  });

  test("is nothing if it is killed", async () => {
    const server = start();
    const child = Bun.spawn(["bun", "src/doctor/main.ts", "--server", server.url], {
      cwd: `${import.meta.dir}/../..`,
      env: { PATH: process.env["PATH"] ?? "", CLIENT_KEY, API_KEY },
      stdio: ["ignore", "ignore", "ignore"],
    });
    await eventually(async () => (await server.state()).server["jobs_completed_total"] !== 0, "a job is done", 15_000);
    child.kill("SIGKILL");
    await eventually(async () => (await server.state()).workers.length === 0, "its worker is gone");
    expect(await traces(server)).not.toContain("doctor");
  });
});

describe("the doctor, on keys,", () => {
  test("distinguishes wrong keys from missing ones", async () => {
    const server = start();
    const wrong = await examined(server.url, { clientKeys: ["wrong-1"], apiKey: "wrong-2" });
    expect(wrong["client_key"]?.measured).toContain("not one of the server's");
    expect(wrong["api_key"]?.measured).toContain("not one of the server's");
    expect(those(wrong, "bad")).toEqual(["client_key", "api_key"]);
    const missing = await examined(server.url, { clientKeys: [], apiKey: undefined });
    expect(missing["client_key"]?.measured).toContain("none is given");
    expect(missing["api_key"]).toMatchObject({ verdict: "skipped" });
    expect(JSON.stringify([wrong, missing])).not.toMatch(/wrong-\d/);
  });

  test("reports keys that the server does not ask for", async () => {
    const server = start({ apiKeys: [], clientKeys: [] });
    const given = await examined(server.url);
    expect(given["client_key"]?.measured).toContain("the server has none");
    const none = await examined(server.url, { clientKeys: [], apiKey: undefined }, "job");
    expect(those(none, "bad")).toEqual([]);
    expect(none["job"]?.verdict).toBe("good");
  });

  test("reports that wrong keys are refused for their number, and that right ones are not", async () => {
    const server = start({ authFailuresPerMinute: 1 });
    await server.fetch("/v1/models", { headers: { authorization: "Bearer wrong" } });
    const wrong = await examined(server.url, { clientKeys: ["wrong-1"], apiKey: "wrong-2" });
    expect(wrong["client_key"]?.measured).toContain("many other wrong keys");
    expect(wrong["api_key"]?.measured).toContain("too_many_auth_failures");
    const right = await examined(server.url, {}, "api_key");
    expect(those(right, "bad")).toEqual([]);
  });
});

describe("the doctor, behind a proxy,", () => {
  test("passes every check if the proxy forwards everything", async () => {
    const results = await examined(await behind(start(), {}), { idleMs: 500 });
    expect(those(results, "good")).toEqual(Object.keys(results));
  });

  test("detects buffered answers by the stream alone", async () => {
    const results = await examined(await behind(start(), { holdsAnswers: true }), { idleMs: 1500 });
    expect(those(results, "bad")).toEqual(["streaming", "long_stream"]);
    expect(results["streaming"]?.measured).toMatch(/6 pieces sent over \d\.\d s arrived in 1 over 0\.0 s/);
    expect(results["streaming"]?.advice).toContain("proxy_buffering off");
    expect(results["upload"]).toMatchObject({ verdict: "skipped" });
  });

  test("detects buffered uploads by a transfer", async () => {
    const results = await examined(await behind(start(), { holdsRequests: true }), {}, "upload");
    expect(those(results, "warning")).toEqual(["upload"]);
    expect(results["upload"]?.advice).toContain("proxy_request_buffering off");
    expect(those(results, "bad")).toEqual([]);
  });

  test("detects dropped upgrades by the server's 426", async () => {
    const meddling: Meddling = {
      onRequest: (head) => ({ head: head.replace(/^(upgrade|connection): .*\r\n/gim, "") }),
    };
    const results = await examined(await behind(start(), meddling));
    expect(those(results, "bad")).toEqual(["websocket"]);
    expect(results["websocket"]?.measured).toContain("drops the upgrade");
    expect(results["client_key"]?.measured).toBe('skipped because "WebSocket" failed');
    expect(results["streaming"]?.measured).toBe('skipped because "WebSocket" failed');
  });

  test.each([200, 400, 404, 426])("names a proxy that answers %d to an upgrade itself", async (status) => {
    const answer = html(status);
    const meddling: Meddling = {
      onRequest: (head) => (/^upgrade: websocket/im.test(head) ? { answer } : { head }),
    };
    const { websocket } = await examined(await behind(start(), meddling));
    expect(websocket).toMatchObject({ verdict: "bad", measured: `no WebSocket: ${status} from nginx` });
  });

  test.each([502, 503, 404, 403])(
    "distinguishes a proxy that answers %d to everything from the server",
    async (status) => {
      const { health } = await examined(await behind(start(), { onRequest: () => ({ answer: html(status) }) }));
      expect(health).toMatchObject({ verdict: "bad", measured: `responds with ${status}, from nginx` });
    },
  );

  test("gives the URL to use if the proxy redirects to https", async () => {
    const answer = "HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/healthz\r\nContent-Length: 0\r\n\r\n";
    const { health } = await examined(await behind(start(), { onRequest: () => ({ answer }) }));
    expect(health?.verdict).toBe("bad");
    expect(health?.advice).toContain("--server https://127.0.0.1.");
  });

  test("attributes a body limit of 1 MiB to the proxy, by its error page", async () => {
    const meddling: Meddling = {
      onRequest: (head) =>
        Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0) > 1024 * 1024 ? { answer: html(413) } : { head },
    };
    const results = await examined(await behind(start(), meddling), {}, "body_size");
    expect(those(results, "bad")).toEqual(["body_size"]);
    expect(results["body_size"]?.measured).toContain("limit of nginx");
    expect(results["body_size"]?.measured).toContain("900 KiB passes");
  });

  test("detects a limit on large messages of workers, and nothing else", async () => {
    const results = await examined(await behind(start(), { maxSocketBytes: 512 * 1024 }), {}, "message_size");
    expect(those(results, "bad")).toEqual(["message_size"]);
    expect(results["message_size"]?.measured).toContain("a message of 1 MiB ended the socket");
  });

  test("detects a proxy that hides a client's disconnect from the worker", async () => {
    const { cancel } = await examined(await behind(start(), { ignoresLeaving: true }), {}, "cancel");
    expect(cancel).toMatchObject({ verdict: "bad" });
    expect(cancel?.advice).toContain("proxy_ignore_client_abort off");
  });

  test("detects an idle timeout of one second", async () => {
    const results = await examined(await behind(start(), { idleMs: 1000 }), { idleMs: 4000 });
    expect(those(results, "bad").filter((id) => id !== "long_stream")).toEqual(["quiet_socket", "slow_answer"]);
    expect(results["quiet_socket"]?.measured).toMatch(/cut after [12]\.\d s/);
    expect(results["slow_answer"]?.measured).toMatch(/after [12]\.\d s/);
  });

  test("warns if the clock is off", async () => {
    const date = new Date(Date.now() - 90_000).toUTCString();
    const meddling: Meddling = { onAnswer: (head) => head.replace(/^date: .*$/im, `Date: ${date}`) };
    const results = await examined(await behind(start(), meddling), {}, "clock");
    expect(those(results, "warning")).toEqual(["clock"]);
    expect(results["clock"]?.measured).toMatch(/^the server's is (89|9[01]) s behind/);
  });

  test("detects two servers behind one address by jobs that miss their worker", async () => {
    const { job } = await examined(await behind(start(), { otherServers: [start().url] }), {}, "job");
    expect(job?.verdict).toBe("bad");
    expect(job?.advice).toContain("exactly one");
  });
});

describe("the doctor, behind a proxy with the file in deploy/,", () => {
  for (const kind of ["nginx", "caddy"] as const)
    test.skipIf(lacks(`the doctor behind ${kind}`, PROGRAMS[kind]))(`passes every check: ${kind}`, async () => {
      const server = start();
      const proxy = await startProxy(kind, server.listening.port, server.listening.port);
      cleanups.push(() => proxy.stop());
      const results = await examined(proxy.url, { idleMs: 1000 });
      expect(those(results, "good")).toEqual(Object.keys(results));
    });
});

describe.skipIf(lacks("the doctor over TLS", PROGRAMS.openssl))("the doctor, on TLS,", () => {
  test("rejects a self-signed certificate, and sends nothing over it", async () => {
    const own = createSelfSigned(90);
    cleanups.push(own.remove);
    const results = await examined(await behind(start(), { tls: own }));
    expect(those(results, "bad")).toEqual(["tls"]);
    expect(results["tls"]?.measured).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(results["health"]).toMatchObject({ verdict: "skipped", measured: 'skipped because "TLS" failed' });
  });

  test("warns of a trusted certificate that expires soon, and tests the rest over it", async () => {
    const own = createSelfSigned(5);
    cleanups.push(own.remove);
    const url = await behind(start(), { tls: own });
    const { code, out } = await program(["--server", url, "--idle", "0", "--json"], {
      API_KEY,
      CLIENT_KEY,
      NODE_EXTRA_CA_CERTS: own.certPath,
    });
    const report = JSON.parse(out) as { verdict: string; checks: Result[] }; // Its own shape, held by report.test.ts.
    expect(report.verdict).toBe("warning");
    expect(report.checks.filter(({ verdict }) => verdict === "warning").map(({ id }) => id)).toEqual(["tls"]);
    expect(report.checks.find(({ id }) => id === "tls")?.measured).toContain("for 4 more days");
    expect(report.checks.filter(({ verdict }) => verdict === "bad")).toEqual([]);
    expect(code).toBe(0);
  });

  test("reports a port without TLS", async () => {
    const { tls } = await examined(start().url.replace("http:", "https:"));
    expect(tls?.measured).toContain("does not speak TLS");
  });
});

describe("the doctor's program", () => {
  test("exits with 1 and advice, without any key, also as the worker's subcommand", async () => {
    const server = start();
    const env = { API_KEY: "secret-of-mine", CLIENT_KEY: "secret-of-ours" };
    const { code, out, err } = await program(["doctor", "--server", server.url, "--idle=0"], env, "src/worker/main.ts");
    expect(code).toBe(1);
    expect(out).toContain("\nbad      API key            the key is not one of the server's\n");
    expect(out).toMatch(/\n\d+ good, 2 bad, \d+ skipped, in \d+\.\d s\n$/);
    expect(out + err).not.toContain("secret");
  });

  test("exits with 78 for invalid settings, and with 0 for its help", async () => {
    const wrong = await program(["--idle", "soon", "left-over"], {});
    expect(wrong.code).toBe(78);
    expect(wrong.err).toContain("doctor_idle");
    expect(wrong.err).toContain("argument 3");
    const help = await program(["--help"], {});
    expect(help.code).toBe(0);
    expect(help.out).toContain("--json\n");
  });
});

async function program(
  argv: readonly string[],
  env: Record<string, string>,
  entry = "src/doctor/main.ts",
): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, entry, ...argv], {
    cwd: `${import.meta.dir}/../..`,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

/** A page as nginx writes it. */
function html(status: number): string {
  const page = `<html><head><title>${status}</title></head><body><center>nginx</center></body></html>`;
  return `HTTP/1.1 ${status} X\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`;
}
