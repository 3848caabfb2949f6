import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../src/config.ts";
import { KNOWN_PLUGINS } from "../../../src/plugins.ts";
import { NFRX_SERVER } from "../../../src/settings/nfrx-server.ts";
import type { Sources } from "../../../src/settings/read-settings.ts";
import { loadWorkerSettings } from "../../../src/worker/args.ts";
import { KIND_NAMES } from "../../../src/worker/kinds.ts";
import { NFRX_AGENTS } from "../../../src/worker/nfrx-agents.ts";

const common = { argv: [], env: {}, readFile: () => "", version: "1", isTerminal: false };
const server = (given: Partial<Sources>) => loadConfig({ ...common, knownPlugins: KNOWN_PLUGINS, ...given });
const worker = (given: Partial<Sources>) =>
  loadWorkerSettings({ ...common, knownKinds: KIND_NAMES, hostname: "box", argv: ["llm"], ...given });

describe("a variable of nfrx", () => {
  test("that has another name here starts the server, with a remark that says what to set", () => {
    expect(server({ env: { LLM_QUEUE_SIZE: "50", BROKER_MAX_REQ_BYTES: "1", UNKNOWN: "x" } })).toMatchObject({
      kind: "ready",
      remarks: [
        { name: "LLM_QUEUE_SIZE", hint: "a setting of nfrx: set QUEUE_SIZE, which holds for each plugin" },
        { name: "BROKER_MAX_REQ_BYTES", hint: "a setting of nfrx: set MCP_MAX_BODY_BYTES" },
      ],
    });
  });

  test("starts the worker in the same way", () => {
    expect(worker({ env: { RECONNECT: "true", API_STYLE: "ollama" } })).toMatchObject({
      kind: "ready",
      remarks: [{ name: "RECONNECT" }, { name: "API_STYLE" }],
    });
  });

  test("that is empty, or that is a setting here too, gets no remark", () => {
    const env = { REDIS_ADDR: "", LLM_MAX_PARALLEL_EMBEDDINGS: "4", METRICS_PORT: "9090" };
    expect(server({ env })).toMatchObject({ kind: "ready", remarks: [] });
    const agents = { SERVER_URL: "ws://localhost:8080/api/llm/connect", CLIENT_ID: "w", PROVIDER_URL: "http://h/mcp" };
    expect(worker({ env: agents })).toMatchObject({
      kind: "ready",
      remarks: [],
    });
  });

  test("has a hint that never repeats its value", () => {
    for (const [load, { settings }] of [
      [server, NFRX_SERVER],
      [worker, NFRX_AGENTS],
    ] as const) {
      const env = Object.fromEntries(settings.map(({ variable }) => [variable, "1111"]));
      expect(JSON.stringify(load({ env }))).not.toContain('hint":"1111');
    }
  });
});

test("docs/from-nfrx.md has every setting of nfrx that is not one here", async () => {
  const page = await Bun.file(new URL("../../../docs/from-nfrx.md", import.meta.url)).text();
  for (const { variable, yamlKeys } of [...NFRX_SERVER.settings, ...NFRX_AGENTS.settings]) {
    // The file's key of METRICS_PORT is no variable of nfrx.
    if (variable === "METRICS_ADDR") expect(page).toContain("metrics_addr");
    else expect({ page: page.includes(`\`${variable}\``), variable, yamlKeys }).toMatchObject({ page: true });
  }
});

test("a flag of nfrx is refused with what to use", () => {
  expect(server({ argv: ["--llm-queue-size", "5", "--mcp-max-req-bytes=1", "-redis-addr", "x"] })).toMatchObject({
    kind: "faults",
    faults: [
      "--llm-queue-size: unknown flag; it is a flag of nfrx: set QUEUE_SIZE, which holds for each plugin",
      "--mcp-max-req-bytes: unknown flag; it is a flag of nfrx: set MCP_MAX_BODY_BYTES",
      "-redis-addr: unknown flag; it is a flag of nfrx: the state of a server is not kept in Redis; remove it",
    ],
  });
  expect(worker({ argv: ["llm", "--reconnect", "--status-addr=:1", "-r"] })).toMatchObject({
    kind: "faults",
    faults: [
      "--reconnect: unknown flag; it is a flag of nfrx's agents: a worker always reconnects; remove it",
      expect.stringContaining("--status-addr: unknown flag; it is a flag of nfrx's agents: "),
      "-r: unknown flag; it is a flag of nfrx's agents: a worker always reconnects; remove it",
    ],
  });
});

test("a file of nfrx is refused with the counterpart of each of its keys", () => {
  const yaml = `
metrics_addr: ":8080"
jobs_sse_close_delay: 5s
redis_addr: redis://h
max_parallel_embeddings: 8
plugin_options:
  llm:
    queue_size: 5
    unknown: 1
  mcp:
    max_req_bytes: 5
unheard: 1
other:
  nested: 1
`;
  const loaded = server({ argv: ["--config", "/n.yaml"], readFile: () => yaml });
  const faults = loaded.kind === "faults" ? loaded.faults : [];
  expect(faults).toEqual([
    "metrics_addr: unknown key in file /n.yaml; it is a key of nfrx: set METRICS_PORT (metrics_port in the file)",
    "jobs_sse_close_delay: unknown key in file /n.yaml; it is a key of nfrx: there is no jobs API here; remove it",
    "redis_addr: unknown key in file /n.yaml; it is a key of nfrx: the state of a server is not kept in Redis; remove it",
    "max_parallel_embeddings: unknown key in file /n.yaml; it is a key of nfrx: use llm_max_parallel_embeddings",
    "plugin_options.llm.queue_size: unknown key in file /n.yaml; it is a key of nfrx: set QUEUE_SIZE, which holds for each plugin",
    "plugin_options.mcp.max_req_bytes: unknown key in file /n.yaml; it is a key of nfrx: set MCP_MAX_BODY_BYTES",
    "unheard: unknown key in file /n.yaml",
    "other: unknown key in file /n.yaml",
  ]);
});

describe("a value of nfrx", () => {
  test.each([
    ["all", "debug"],
    ["WARNING", "warn"],
    ["fatal", "error"],
    ["none", "none"],
  ])("of LOG_LEVEL, %s, means %s", (written, level) => {
    expect(server({ env: { LOG_LEVEL: written } })).toMatchObject({ kind: "ready", config: { logLevel: level } });
    expect(worker({ env: { LOG_LEVEL: written } })).toMatchObject({ kind: "ready", config: { logLevel: level } });
  });

  test("of DRAIN_TIMEOUT, -1, waits as long as a timer can", () => {
    for (const given of [
      { env: { DRAIN_TIMEOUT: "-1" } },
      { argv: ["--config=/n.yaml"], readFile: () => "drain_timeout: -1" },
    ])
      expect(server(given)).toMatchObject({ kind: "ready", config: { drainTimeoutMs: 2 ** 31 - 1 } });
    expect(worker({ env: { DRAIN_TIMEOUT: "-1" } })).toMatchObject({ config: { drainTimeoutMs: 2 ** 31 - 1 } });
    expect(server({ env: { DRAIN_TIMEOUT: "-2" } })).toMatchObject({ kind: "faults" });
  });

  test("of PLUGINS that does not exist here is left out, with a remark", () => {
    expect(server({ env: { PLUGINS: "llm, docling,jobs" } })).toMatchObject({
      kind: "ready",
      config: { plugins: ["llm"] },
      remarks: [{ name: "PLUGINS", hint: "there is no plugin docling or jobs here; remove it" }],
    });
    expect(server({ env: { PLUGINS: "docling" } })).toMatchObject({ kind: "faults" });
    expect(server({ env: { PLUGINS: "*" } })).toMatchObject({ kind: "ready", remarks: [] });
  });
});
