import { describe, expect, test } from "bun:test";
import { homedir } from "node:os";
import { CONFIG_FILE } from "../../../src/settings/read-settings.ts";
import { markdownTable } from "../../../src/settings/render.ts";
import { loadWorkerSettings, type WorkerSettings, type WorkerSources } from "../../../src/worker/args.ts";
import { identityPath } from "../../../src/worker/identity-path.ts";
import { connectUrl, httpUrl, parseBackendUrl, parseServerUrl } from "../../../src/worker/server-url.ts";
import { workerTable } from "../../../src/worker/worker-table.ts";

const TOKEN = `mj_${"0".repeat(12)}_${"s".repeat(32)}_${"c".repeat(6)}`;
const HERE = { platform: process.platform, env: {}, home: homedir() };
const knownKinds = ["llm", "asr", "mcp"];
const table = workerTable("box");
const docs = await Bun.file(new URL("../../../docs/configuration.md", import.meta.url)).text();

function load(given: Partial<WorkerSources> = {}) {
  const shared = { env: {}, readFile: () => "", version: "9.8.7", hostname: "box", isTerminal: false };
  return loadWorkerSettings({ argv: ["llm"], knownKinds, ...shared, ...given });
}

function settingsOf(given: Partial<WorkerSources> = {}): WorkerSettings {
  const loaded = load(given);
  if (loaded.kind !== "ready") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

function faultsOf(given: Partial<WorkerSources>): readonly string[] {
  const loaded = load(given);
  return loaded.kind === "faults" ? loaded.faults : [];
}

/** For each key: its variable, its flag, a text, and the text's value. */
const CASES: readonly (readonly [keyof WorkerSettings, string, string, string, unknown])[] = [
  ["server", "SERVER_URL", "server", "ws://hub.example:81/api/llm/connect", "ws://hub.example:81"],
  ["clientKeys", "CLIENT_KEY", "client-key", "k-1, k-0", ["k-1", "k-0"]],
  ["joinToken", "JOIN_TOKEN", "join", TOKEN, TOKEN],
  ["stateFile", "STATE_FILE", "state-file", "/var/lib/worker.json", "/var/lib/worker.json"],
  ["name", "CLIENT_NAME", "name", "Attic, left", "Attic, left"],
  ["id", "CLIENT_ID", "id", "gpu-1", "gpu-1"],
  ["backend", "COMPLETION_BASE_URL", "backend", "http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"],
  ["backendKey", "COMPLETION_API_KEY", "backend-key", "k-2", "k-2"],
  ["asrBackend", "ASR_BASE_URL", "asr-backend", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"],
  ["asrBackendKey", "ASR_API_KEY", "asr-backend-key", "k-3", "k-3"],
  ["maxConcurrency", "MAX_CONCURRENCY", "max-concurrency", "10000", 10_000],
  ["embeddingBatchSize", "EMBEDDING_BATCH_SIZE", "embedding-batch-size", "8", 8],
  ["models", "MODELS", "models", "llama3:8b, org/model", ["llama3:8b", "org/model"]],
  ["renames", "RENAME", "rename", "gpt-4o = qwen3:8b", [{ shown: "gpt-4o", backend: "qwen3:8b" }]],
  ["dropBillingLine", "DROP_BILLING_LINE", "drop-billing-line", "true", "true"],
  ["mcpUrl", "MCP_URL", "url", "http://127.0.0.1:7777/mcp/", "http://127.0.0.1:7777/mcp"],
  ["mcpTransport", "MCP_TRANSPORT", "transport", "sse", "sse"],
  [
    "mcpHeaders",
    "MCP_HEADERS",
    "header",
    "X-Key: a,b, X-Url: http://h,http://i",
    [
      ["X-Key", "a,b"],
      ["X-Url", "http://h,http://i"],
    ],
  ],
  ["mcpCommand", "MCP_COMMAND", "stdio", "npx -y some-server --flag", "npx -y some-server --flag"],
  ["mcpServers", "MCP_SERVERS", "servers", "mcp.yaml", "mcp.yaml"],
  ["mcpOneUrl", "MCP_ONE_URL", "one-url", "team", "team"],
  ["mcpOneUrlOnly", "MCP_ONE_URL_ONLY", "one-url-only", "true", "true"],
  ["mcpToolSearch", "MCP_TOOL_SEARCH", "tool-search", "auto", "auto"],
  ["mcpAccess", "MCP_ACCESS", "access", "connector", "connector"],
  ["mcpOauth", "MCP_OAUTH", "oauth", "true", "true"],
  ["mcpAuditArguments", "MCP_AUDIT_ARGUMENTS", "audit-arguments", "true", "true"],
  ["mcpShared", "MCP_SHARED", "shared", "true", "true"],
  ["mcpMaxSessions", "MCP_MAX_SESSIONS", "max-sessions", "3", 3],
  ["mcpSessionIdleMs", "MCP_SESSION_IDLE", "session-idle", "30s", 30_000],
  ["authToken", "AUTH_TOKEN", "auth-token", "t-1", "t-1"],
  ["httpsProxy", "HTTPS_PROXY", "https-proxy", "http://ann:pw@proxy:3128", "http://ann:pw@proxy:3128/"],
  ["httpProxy", "HTTP_PROXY", "http-proxy", "proxy:3128", "http://proxy:3128/"],
  ["noProxy", "NO_PROXY", "no-proxy", "10.0.0.0/8, .example", "10.0.0.0/8, .example"],
  ["dialTimeoutMs", "DIAL_TIMEOUT", "dial-timeout", "1m", 60_000],
  ["watchIntervalMs", "MODEL_POLL_INTERVAL", "watch-interval", "1m", 60_000],
  ["drainTimeoutMs", "DRAIN_TIMEOUT", "drain-timeout", "0", 0],
  ["requestTimeoutMs", "REQUEST_TIMEOUT", "request-timeout", "90", 90_000],
  ["update", "UPDATE", "update", "true", "true"],
  ["logLevel", "LOG_LEVEL", "log-level", "warn", "warn"],
  ["logFormat", "LOG_FORMAT", "log-format", "pretty", "pretty"],
  ["logFile", "LOG_FILE", "log-file", "worker.log", "worker.log"],
];

describe("every setting", () => {
  test("the cases below name every setting", () => {
    expect(CASES.map(([key]) => key)).toEqual(Object.keys(table) as (keyof WorkerSettings)[]); // the table's keys are the settings'
  });

  test.each(CASES)("%s comes from %s, --%s and its YAML key", (key, variable, flag, text, value) => {
    expect<unknown>(settingsOf()[key]).not.toEqual(value);
    expect<unknown>(settingsOf({ env: { [variable]: text } })[key]).toEqual(value);
    const given = key === "update" ? [`--${flag}`] : [`--${flag}`, text];
    expect<unknown>(settingsOf({ argv: ["llm", ...given] })[key]).toEqual(value);
    expect<unknown>(settingsOf({ argv: [`--${flag}=${text}`, "llm"] })[key]).toEqual(value);
    const readFile = () => `${variable.toLowerCase()}: ${JSON.stringify(text)}`;
    expect<unknown>(settingsOf({ env: { CONFIG_FILE: "/w.yaml" }, readFile })[key]).toEqual(value);
  });

  test("the defaults are those of the reference", () => {
    expect(settingsOf()).toEqual({
      kinds: ["llm"],
      relays: [],
      server: "http://127.0.0.1:8080",
      clientKeys: [],
      joinToken: undefined,
      stateFile: identityPath({ stateFile: undefined, server: "http://127.0.0.1:8080", id: undefined }, HERE),
      isStateFileNamed: false,
      update: "false",
      name: "box",
      id: undefined,
      backend: undefined,
      backendKey: undefined,
      asrBackend: undefined,
      asrBackendKey: undefined,
      maxConcurrency: undefined,
      embeddingBatchSize: 64,
      models: undefined,
      renames: [],
      dropBillingLine: "false",
      mcpUrl: undefined,
      mcpTransport: "auto",
      mcpHeaders: [],
      mcpServers: undefined,
      mcpOneUrl: undefined,
      mcpOneUrlOnly: "false",
      mcpToolSearch: "false",
      mcpAccess: undefined,
      mcpOauth: "false",
      mcpAuditArguments: "false",
      mcpShared: "false",
      mcpMaxSessions: 32,
      mcpSessionIdleMs: 300_000,
      mcpCommand: undefined,
      authToken: undefined,
      httpsProxy: undefined,
      httpProxy: undefined,
      noProxy: undefined,
      dialTimeoutMs: 30_000,
      watchIntervalMs: 30_000,
      drainTimeoutMs: 60_000,
      requestTimeoutMs: undefined,
      logLevel: "info",
      logFormat: "json",
      logFile: undefined,
    });
  });

  test("the worker's settings are frozen deeply", () => {
    const settings = settingsOf({ env: { MODELS: "a" } });
    expect([settings, settings.kinds, settings.models].every((each) => Object.isFrozen(each))).toBe(true);
  });

  test("values out of bounds are reported", () => {
    const env = {
      MAX_CONCURRENCY: "0",
      EMBEDDING_BATCH_SIZE: "2049",
      CLIENT_ID: "a b",
      COMPLETION_BASE_URL: "localhost:11434",
    };
    expect(faultsOf({ env }).map((fault) => fault.split(" ", 4).join(" "))).toEqual([
      "client_id: environment variable CLIENT_ID",
      "completion_base_url: environment variable COMPLETION_BASE_URL",
      "max_concurrency: environment variable MAX_CONCURRENCY",
      "embedding_batch_size: environment variable EMBEDDING_BATCH_SIZE",
    ]);
  });

  test("pairs of names are read up to the first equals sign, and a public name that is given twice is refused", () => {
    expect(settingsOf({ env: { RENAME: "a=x, b=hf.co/y=z ,c=x" } }).renames).toEqual([
      { shown: "a", backend: "x" },
      { shown: "b", backend: "hf.co/y=z" },
      { shown: "c", backend: "x" },
    ]);
    for (const wrong of ["a=x,a=y", "a", "=x", "a=", "a=x,b"]) {
      const [fault, ...more] = faultsOf({ env: { RENAME: wrong } });
      expect(fault).toStartWith("rename: environment variable RENAME");
      expect(fault).toContain("with each public name once");
      expect(more).toEqual([]);
    }
  });

  test("PROVIDER_URL names the MCP server where MCP_URL does not", () => {
    const env = { PROVIDER_URL: "http://127.0.0.1:7777/" };
    expect(settingsOf({ env }).mcpUrl).toBe("http://127.0.0.1:7777");
    expect(settingsOf({ env: { ...env, MCP_URL: "http://127.0.0.1:7778/mcp" } }).mcpUrl).toBe(
      "http://127.0.0.1:7778/mcp",
    );
  });

  test("an empty allow-list is refused", () => {
    expect(faultsOf({ argv: ["llm", "--config=/w.yaml"], readFile: () => "models: []" })).toHaveLength(1);
  });
});

describe("the worker's kinds", () => {
  test.each([
    [["llm"], ["llm"]],
    [
      ["llm", "asr"],
      ["llm", "asr"],
    ],
    [["mcp,llm"], ["mcp", "llm"]],
    [
      ["llm,", "asr", "llm"],
      ["llm", "asr"],
    ],
    [["--max-concurrency", "4", "asr", "--name=x"], ["asr"]],
  ])("given as %j are %j", (argv, kinds) => {
    expect(settingsOf({ argv, env: { MCP_URL: "http://127.0.0.1:7777/mcp" } }).kinds).toEqual(kinds);
  });

  test("include mcp only with one MCP server", () => {
    expect(faultsOf({ argv: ["mcp"] })).toEqual([expect.stringContaining("needs an MCP server")]);
    expect(faultsOf({ argv: ["mcp", "--url=http://127.0.0.1:1/mcp", "--stdio=x"] })).toEqual([
      "url: this and stdio both name MCP servers; give only one of them",
    ]);
    expect(settingsOf({ argv: ["mcp", "--stdio=x"] }).mcpCommand).toBe("x");
  });

  test("are refused with the known ones if there are none", () => {
    expect(faultsOf({ argv: [] })).toEqual(["kind: none is given; name one or more of llm, asr, mcp"]);
  });

  test("are refused by place and not by text if one is unknown, with a similar one", () => {
    expect(faultsOf({ argv: ["lm", "--client-key", "ab,", "Hush9"] })).toEqual([
      "client_key: flag --client-key is not usable; it takes one key of visible ASCII characters without blanks, or the new key and the previous one, comma separated",
      "kind: argument 1 is not a kind; use llm, asr or mcp; did you mean llm?",
      "kind: argument 4 is not a kind; use llm, asr or mcp",
    ]);
  });

  test("include one that follows an unknown flag", () => {
    expect(faultsOf({ argv: ["--unknown", "llm"] })).toEqual(["--unknown: unknown flag"]);
  });

  test("are only those that the program knows", () => {
    expect(faultsOf({ argv: ["asr"], knownKinds: ["llm"] })).toEqual(["kind: argument 1 is not a kind; use llm"]);
  });
});

describe("the server's URL", () => {
  test.each([
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/api/llm/connect"],
    ["https://hub.example/", "https://hub.example", "wss://hub.example/api/llm/connect"],
    ["HTTPS://Hub.example:443", "https://hub.example", "wss://hub.example/api/llm/connect"],
    ["wss://hub.example/base/", "wss://hub.example/base", "wss://hub.example/base/api/llm/connect"],
    ["ws://hub.example/api/llm/connect", "ws://hub.example", "ws://hub.example/api/llm/connect"],
    ["wss://hub.example/base/api/workers/connect/", "wss://hub.example/base", "wss://hub.example/base/api/llm/connect"],
    ["hub.example", "wss://hub.example", "wss://hub.example/api/llm/connect"],
    ["hub.example:8443/base", "wss://hub.example:8443/base", "wss://hub.example:8443/base/api/llm/connect"],
    ["localhost:8080", "ws://localhost:8080", "ws://localhost:8080/api/llm/connect"],
    ["127.0.0.1", "ws://127.0.0.1", "ws://127.0.0.1/api/llm/connect"],
    ["[::1]:8080", "ws://[::1]:8080", "ws://[::1]:8080/api/llm/connect"],
    ["localhost.example", "wss://localhost.example", "wss://localhost.example/api/llm/connect"],
  ])("given as %p is %p, and the worker dials %p", (text, base, dialled) => {
    expect(parseServerUrl(text)).toBe(base);
    expect(connectUrl(base, "llm")).toBe(dialled);
  });

  test("gives the address for HTTP clients", () => {
    expect(httpUrl("wss://hub.example/base")).toBe("https://hub.example/base");
    expect(httpUrl("ws://localhost:8080")).toBe("http://localhost:8080");
    expect(httpUrl("https://hub.example")).toBe("https://hub.example");
  });

  test.each([
    "",
    "http://",
    "http:///x",
    "ftp://hub.example",
    "wss://u:p@hub.example",
    "https://hub.example/?key=1",
    "https://hub.example/#a",
    "a b",
  ])("cannot be %p", (text) => {
    expect(parseServerUrl(text)).toBeUndefined();
  });

  test.each(["127.0.0.1:11434", "ws://127.0.0.1:11434", "http://u:p@box/v1", "file:///etc/passwd", "http:box"])(
    "cannot be %p for a backend",
    (text) => {
      expect(parseBackendUrl(text)).toBeUndefined();
    },
  );

  test("is not repeated if it is invalid and contains a password", () => {
    const faults = faultsOf({
      env: { SERVER_URL: "wss://u:hush@hub.example", COMPLETION_BASE_URL: "http://box/?key=hush" },
    });
    expect(faults).toHaveLength(2);
    expect(faults.join("\n")).not.toContain("hush");
  });
});

describe("the worker's texts", () => {
  test("list every flag and kind for --help, without any kind given", () => {
    const help = load({ argv: ["--help"] });
    const text = help.kind === "print" ? help.text : "";
    for (const each of [CONFIG_FILE, ...Object.values(table)])
      expect(text).toMatch(new RegExp(`\n  --${each.flag}(?: <|\n)`));
    expect(text).toContain("moorage worker llm|asr|mcp");
    expect(load({ argv: ["--version"] })).toEqual({ kind: "print", text: "moorage worker 9.8.7" });
  });

  test("show effective values and no key for --print-config", () => {
    const env = { CLIENT_KEY: "hush1", COMPLETION_API_KEY: "hush2", SERVER_URL: "hub.example" };
    const loaded = load({ argv: ["--print-config"], env });
    const text = loaded.kind === "print" ? loaded.text : "";
    expect(Bun.YAML.parse(text)).toMatchObject({
      server_url: "wss://hub.example",
      client_name: "box",
      client_key: "********",
      completion_api_key: "********",
      embedding_batch_size: 64,
    });
    expect(text).not.toContain("hush");
  });

  test("refer flags named like legacy variables to ours", () => {
    expect(faultsOf({ argv: ["llm", "--server-url=x", "--completion-base-url=x", "--client-id=x"] })).toEqual([
      "--server-url: unknown flag; did you mean --server?",
      "--completion-base-url: unknown flag; did you mean --backend?",
      "--client-id: unknown flag; did you mean --id?",
    ]);
  });

  test("agree with docs/configuration.md on every setting", () => {
    expect(docs).toContain(
      `\n${markdownTable({ configFile: CONFIG_FILE, ...table })}\n\n<!-- end of worker settings -->`,
    );
  });
});
