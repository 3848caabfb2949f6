import { afterEach, describe, expect, test } from "bun:test";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { FAR_HOST, ScriptedProxy, startTinyproxy, type TinyproxyOptions } from "../../support/forward-proxy.ts";
import { inboxLog, type LogLine } from "../../support/inbox-log.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { startSseMcpServer } from "../../support/sse-mcp-server.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

const ROOT = `${import.meta.dir}/../../..`;
const PASSWORD = "pa55word";

const running: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

function use<T extends { stop(): unknown }>(each: T): T {
  running.push(() => each.stop());
  return each;
}

const startServer = (): TestServer => use(new TestServer({ plugins: ["llm", "asr", "mcp"], queueTimeoutMs: 5000 }));
const startChat = () => use(startBackend(() => Response.json({ ok: true })));
/** The server's URL under a name that only the scripted proxy can resolve. */
const farUrl = (server: TestServer): string => `http://${FAR_HOST}:${server.listening.port}`;

describe.skipIf(lacks("a worker behind tinyproxy", PROGRAMS.tinyproxy))("a worker's link through tinyproxy", () => {
  async function startBehind(
    credentials: string | undefined,
    { noProxy, ...options }: Partial<TinyproxyOptions & Pick<WorkerSettings, "noProxy">> = {},
  ) {
    const server = startServer();
    const backend = startChat();
    const upstream = use(await ScriptedProxy.start());
    const proxy = use(await startTinyproxy({ upstream, credentials: `ann ${PASSWORD}`, ...options }));
    const { log, lines } = inboxLog();
    const httpProxy = `http://${credentials === undefined ? "" : `${credentials}@`}127.0.0.1:${proxy.port}`;
    const worker = use(
      startTestWorker({ server: farUrl(server), backend: backend.url, httpProxy, noProxy, drainTimeoutMs: 0 }, { log }),
    );
    const closed = (): Promise<LogLine> => lines.takeUntil(({ event }) => event === "link.closed", "link.closed");
    return { server, upstream, worker, closed };
  }

  test("is opened with the user name and the password of the variable, and carries jobs", async () => {
    const { server, upstream, worker } = await startBehind(`ann:${PASSWORD}`);
    await worker.registered;
    expect(upstream.seen).toEqual([`CONNECT ${FAR_HOST}:${server.listening.port} HTTP/1.1`]);
    expect((await server.chat("m")).status).toBe(200);
    expect(upstream.seen).toHaveLength(1);
  });

  test.each([
    ["no", undefined, "requires a user name and a password"],
    ["wrong", "ann:wr0ng", "does not accept the user name or the password"],
  ])("is refused with %s credentials, and the log says what is wrong, without the password", async (_, given, says) => {
    const { closed } = await startBehind(given);
    const line = await closed();
    expect(line["reason"]).toContain("the proxy http://127.0.0.1:");
    expect(line["reason"]).toContain(says);
    expect(line["hint"]).toContain("HTTPS_PROXY");
    expect(JSON.stringify(line)).not.toContain("wr0ng");
  });

  test("is refused by its rules, and the log says so, without the password", async () => {
    const { closed } = await startBehind(`ann:${PASSWORD}`, { connectPort: 443 });
    const line = await closed();
    expect(line["reason"]).toMatch(/^the proxy http:\/\/127\.0\.0\.1:\d+ refused the connection \(403 /);
    expect(line["hint"]).toContain("NO_PROXY");
    expect(JSON.stringify(line)).not.toContain(PASSWORD);
  });

  test("is not attempted for a server in NO_PROXY", async () => {
    const { closed, upstream } = await startBehind(`ann:${PASSWORD}`, { noProxy: "10.0.0.0/8, .test" });
    // Nothing resolves the name, so the direct connection fails.
    expect((await closed())["reason"]).toBe("Failed to connect");
    expect(upstream.seen).toEqual([]);
  });
});

test("a proxy that cannot be reached is named in the log", async () => {
  const { log, lines } = inboxLog();
  const settings = { server: "http://hub.test:80", httpProxy: `http://ann:${PASSWORD}@127.0.0.1:1` };
  use(startTestWorker({ ...settings, backend: startChat().url, drainTimeoutMs: 0 }, { log }));
  const line = await lines.takeUntil(({ event }) => event === "link.closed", "link.closed");
  expect(line["reason"]).toBe("the proxy http://127.0.0.1:1 cannot be reached");
  expect(JSON.stringify(line)).not.toContain(PASSWORD);
});

describe("with every proxy variable set", () => {
  /** Starts the worker program with this proxy in its environment, and waits until it is connected. */
  async function startProgram(proxy: ScriptedProxy, args: readonly string[], env: Record<string, string> = {}) {
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"];
    const variables = Object.fromEntries(names.map((name) => [name, proxy.url]));
    const command = [process.execPath, "src/worker/main.ts", ...args];
    const program = new ProgramRun(command, { CLIENT_KEY, ...variables, ...env }, ROOT);
    running.push(async () => {
      program.kill();
      await program.exited;
    });
    await program.event("link.opened");
    return program;
  }

  test("jobs and probes of a model server on this machine, and the link to a server on it, stay on it", async () => {
    const [server, proxy, backend] = [startServer(), use(await ScriptedProxy.start()), startChat()];
    await startProgram(proxy, [
      "llm",
      "--server",
      server.url,
      "--backend",
      backend.url.replace("127.0.0.1", "localhost"),
    ]);
    expect((await server.chat("m")).status).toBe(200);
    expect(proxy.seen).toEqual([]);
  });

  test.each(["http", "auto"])(
    "calls of an MCP server on this machine stay on it, with the transport %s",
    async (transport) => {
      const [server, proxy] = [startServer(), use(await ScriptedProxy.start())];
      const upstream =
        transport === "auto"
          ? use(await startSseMcpServer())
          : use(startBackend(() => Response.json({ jsonrpc: "2.0", id: 1, result: {} })));
      const args = ["--url", upstream.url, "--transport", transport, "--id", "tools", "--auth-token", "t0ken"];
      await startProgram(proxy, ["mcp", "--server", server.url, ...args]);
      const clientInfo = { name: "test", version: "1" };
      const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
      const answer = await fetch(`${server.url}/api/mcp/id/tools/mcp`, {
        method: "POST",
        headers: {
          authorization: "Bearer t0ken",
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
      });
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
      expect(proxy.seen).toEqual([]);
    },
  );

  test("a model server on another machine is reached through the proxy, unless NO_PROXY spares it", async () => {
    const [server, proxy, backend] = [startServer(), use(await ScriptedProxy.start()), startChat()];
    const far = `http://${FAR_HOST}:${backend.port}/v1`;
    await startProgram(proxy, ["llm", "--server", server.url, "--backend", far]);
    expect((await server.chat("m")).status).toBe(200);
    expect(proxy.seen).toContain(`GET ${far}/models HTTP/1.1`);
    expect(proxy.seen).toContain(`POST ${far}/chat/completions HTTP/1.1`);
    proxy.seen.length = 0;
    await startProgram(proxy, ["llm", "--server", server.url, "--backend", far], { no_proxy: ".test" });
    expect(proxy.seen).toEqual([]);
  });
});
