import { describe, expect, test } from "bun:test";
import { hostname, tmpdir } from "node:os";
import { type ConfigSources, loadConfig } from "../../src/config.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { CONFIG_FILE } from "../../src/settings/read-settings.ts";
import { markdownTable } from "../../src/settings/render.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import { toServerId } from "../../src/system/server-id.ts";
import { type Config, defaultConfig, withPluginSettings } from "../support/default-config.ts";

const knownPlugins = KNOWN_PLUGINS;
const ids = ["llm", "asr", "mcp", "transfer"];
const table = serverTable(knownPlugins);
const docs = await Bun.file(new URL("../../docs/configuration.md", import.meta.url)).text();

function load(given: Partial<ConfigSources> & { readonly yaml?: string } = {}) {
  const { yaml, ...rest } = given;
  const argv = yaml === undefined ? [] : ["--config", "/m.yaml"];
  return loadConfig({
    argv,
    env: {},
    readFile: () => yaml ?? "",
    version: "9.8.7",
    knownPlugins,
    isTerminal: false,
    ...rest,
  });
}

function configOf(given: Parameters<typeof load>[0] = {}): Config {
  const loaded = load(given);
  if (loaded.kind !== "ready") throw new Error(JSON.stringify(loaded));
  return withPluginSettings(loaded.config);
}

function faultsOf(given: Parameters<typeof load>[0]): readonly string[] {
  const loaded = load(given);
  return loaded.kind === "faults" ? loaded.faults : [];
}

/** For each key: its variable, a text, and the text's value. */
const CASES: readonly (readonly [keyof Config, string, string, unknown])[] = [
  ["port", "PORT", "0", 0],
  ["host", "HOST", "::1", "::1"],
  ["serverId", "SERVER_ID", "eu-1", "eu-1"],
  ["metricsListener", "METRICS_PORT", "10.0.0.1:9091", { host: "10.0.0.1", port: 9091 }],
  ["apiKeys", "API_KEY", "alpha,beta", ["alpha", "beta"]],
  ["clientKeys", "CLIENT_KEY", "gamma", ["gamma"]],
  ["adminKeys", "ADMIN_KEY", "delta,epsilon", ["delta", "epsilon"]],
  ["apiRoles", "API_HTTP_ROLES", "user,team lead", ["user", "team lead"]],
  ["clientRoles", "CLIENT_HTTP_ROLES", "worker", ["worker"]],
  ["adminRoles", "ADMIN_HTTP_ROLES", "operator", ["operator"]],
  ["oidcIssuer", "OIDC_ISSUER", "https://id.example.com/realms/office", "https://id.example.com/realms/office"],
  ["oidcClientId", "OIDC_CLIENT_ID", "moorage", "moorage"],
  ["oidcClientSecret", "OIDC_CLIENT_SECRET", "s3cret, with a comma", "s3cret, with a comma"],
  ["oidcAdminClaims", "OIDC_ADMIN_CLAIM", "groups:gpu-admins", [{ claim: "groups", value: "gpu-admins" }]],
  [
    "oidcViewerClaims",
    "OIDC_VIEWER_CLAIM",
    "https://example.com/roles:a:b, email:ada@example.com",
    [
      { claim: "https://example.com/roles", value: "a:b" },
      { claim: "email", value: "ada@example.com" },
    ],
  ],
  ["oidcCallerClaims", "OIDC_CALLER_CLAIM", "groups:mcp", [{ claim: "groups", value: "mcp" }]],
  ["mcpTokenLifeMs", "MCP_TOKEN_LIFE", "10m", 600_000],
  ["mcpGrantIdleMs", "MCP_GRANT_IDLE", "7d", 604_800_000],
  ["mcpClientDocuments", "MCP_CLIENT_DOCUMENTS", "false", false],
  ["trustedProxies", "TRUSTED_PROXIES", "192.0.2.7,fd00::/8", ["192.0.2.7", "fd00::/8"]],
  ["allowedOrigins", "ALLOWED_ORIGINS", "https://a.example,*", ["https://a.example", "*"]],
  ["publicUrl", "PUBLIC_URL", "https://Moorage.example:8443/", "https://moorage.example:8443"],
  ["allowedHosts", "ALLOWED_HOSTS", "Tools.example,[::1]", ["tools.example", "::1"]],
  ["plugins", "PLUGINS", "mcp,llm", ["llm", "mcp"]],
  ["requestTimeoutMs", "REQUEST_TIMEOUT", "90", 90_000],
  ["asrRequestTimeoutMs", "ASR_REQUEST_TIMEOUT", "1h", 3_600_000],
  ["mcpRequestTimeoutMs", "MCP_REQUEST_TIMEOUT", "1h", 3_600_000],
  ["requestTimeoutWholeMs", "REQUEST_TIMEOUT_WHOLE", "15m", 900_000],
  ["queueSize", "QUEUE_SIZE", "0", 0],
  ["queueTimeoutMs", "QUEUE_TIMEOUT", "0", 0],
  ["queueWeights", "QUEUE_WEIGHTS", "output=4,cached=0", { input: 1, cached: 0, output: 4 }],
  ["endUserHeaders", "END_USER_HEADERS", "X-User, x-other", ["x-user", "x-other"]],
  ["explainRouting", "EXPLAIN_ROUTING", "true", true],
  ["meterStreams", "METER_STREAMS", "estimate", "estimate"],
  ["modelGraceMs", "MODEL_GRACE", "1d", 86_400_000],
  ["keepaliveIntervalMs", "KEEPALIVE_INTERVAL", "5s", 5000],
  ["maxJsonBodyBytes", "MAX_BODY_BYTES", "1MiB", 1_048_576],
  ["maxAudioBodyBytes", "MAX_AUDIO_BODY_BYTES", "5GB", 5_000_000_000],
  ["asrReplayBytes", "ASR_REPLAY_BYTES", "0", 0],
  ["transferTtlMs", "TRANSFER_TTL", "2m", 120_000],
  ["transferMaxChannels", "TRANSFER_MAX_CHANNELS", "50", 50],
  ["mcpMaxBodyBytes", "MCP_MAX_BODY_BYTES", "1MiB", 1_048_576],
  ["mcpMaxAnswerBytes", "MCP_MAX_ANSWER_BYTES", "1GiB", 1_073_741_824],
  ["mcpMaxCalls", "MCP_MAX_CALLS", "8", 8],
  ["mcpMaxStreams", "MCP_MAX_STREAMS", "9", 9],
  ["startGraceMs", "START_GRACE", "0s", 0],
  ["mcpRejoinTimeoutMs", "MCP_REJOIN_TIMEOUT", "0s", 0],
  ["spoolDirectory", "SPOOL_DIR", "/var/spool/moorage", "/var/spool/moorage"],
  ["spoolBytes", "SPOOL_BYTES", "0", 0],
  ["dataDir", "DATA_DIR", "/var/lib/moorage", "/var/lib/moorage"],
  ["storeSync", "STORE_SYNC", "full", "full"],
  ["usageFlushMs", "USAGE_FLUSH", "5s", 5000],
  ["mcpCallsKept", "MCP_CALLS_KEPT", "0", 0],
  ["keysFile", "KEYS_FILE", "/etc/moorage/keys.yaml", "/etc/moorage/keys.yaml"],
  [
    "natsServers",
    "NATS_URL",
    "tls://moorage:s%2Ct@nats:4223",
    [{ host: "nats", port: 4223, isTls: true, user: "moorage", password: "s,t", token: undefined }],
  ],
  ["natsCredentials", "NATS_CREDS", "/etc/moorage/nats.creds", "/etc/moorage/nats.creds"],
  ["natsAuthority", "NATS_CA", "/etc/moorage/ca.pem", "/etc/moorage/ca.pem"],
  ["clusterName", "CLUSTER_NAME", "staging", "staging"],
  ["clusterListener", "CLUSTER_LISTEN", "10.0.0.7:0", { host: "10.0.0.7", port: 0 }],
  ["clusterAddress", "CLUSTER_ADDRESS", "[fd00::7]:8088", { host: "fd00::7", port: 8088 }],
  ["clusterOpen", "CLUSTER_OPEN", "true", true],
  ["keysStaleMs", "KEYS_STALE_MAX", "90m", 5_400_000],
  ["region", "REGION", "fra", "fra"],
  ["drainDelayMs", "DRAIN_DELAY", "5s", 5000],
  ["drainTimeoutMs", "DRAIN_TIMEOUT", "0s", 0],
  ["llmMaxParallelEmbeddings", "LLM_MAX_PARALLEL_EMBEDDINGS", "16", 16],
  ["logLevel", "LOG_LEVEL", "DEBUG", "debug"],
  ["logFormat", "LOG_FORMAT", "pretty", "pretty"],
  ["registerTimeoutMs", "REGISTER_TIMEOUT", "250ms", 250],
  ["authFailuresPerMinute", "AUTH_FAILURES_PER_MINUTE", "0", 0],
  ["maxRequestsPerKey", "MAX_REQUESTS_PER_KEY", "5", 5],
  ["maxRequestsPerAddress", "MAX_REQUESTS_PER_ADDRESS", "0", 0],
  ["windowBytes", "WINDOW_BYTES", "64k", 65_536],
  ["legacyHoldBytes", "LEGACY_HOLD_BYTES", "1MiB", 1_048_576],
  ["legacyBodyBytes", "LEGACY_BODY_BYTES", "64MiB", 67_108_864],
  ["pingIntervalMs", "PING_INTERVAL", "20s", 20_000],
  ["earlyHeadersMs", "EARLY_HEADERS_AFTER", "0", 0],
  ["clientStallTimeoutMs", "CLIENT_STALL_TIMEOUT", "1m", 60_000],
  ["confirmTimeoutMs", "CONFIRM_TIMEOUT", "1s", 1000],
];

/** What a setting is a fault without. */
const COMPANIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  OIDC_ISSUER: { OIDC_CLIENT_ID: "moorage", OIDC_VIEWER_CLAIM: "groups:gpu" },
};

describe("every setting", () => {
  test("the cases below name every setting, and every key except hostGiven", () => {
    expect(CASES.map(([key]) => key)).toEqual(Object.keys(table) as (keyof Config)[]); // the table's keys are Config's
    expect(Object.keys(defaultConfig()).toSorted()).toEqual([...CASES.map(([key]) => key), "hostGiven"].toSorted());
  });

  test.each(CASES)("%s comes from %s in the environment, its flag and its YAML key", (key, variable, text, value) => {
    const name = variable.toLowerCase();
    const env = COMPANIONS[variable] ?? {};
    expect<unknown>(defaultConfig()[key]).not.toEqual(value);
    expect<unknown>(configOf({ env: { ...env, [variable]: text } })[key]).toEqual(value);
    expect<unknown>(configOf({ env, argv: [`--${name.replaceAll("_", "-")}`, text] })[key]).toEqual(value);
    expect<unknown>(configOf({ env, argv: [`--${name.replaceAll("_", "-")}=${text}`] })[key]).toEqual(value);
    expect<unknown>(configOf({ env, yaml: `${name}: ${JSON.stringify(text)}` })[key]).toEqual(value);
  });

  test.each(CASES)("%s prefers the flag to %s, and that to the file", (key, variable, text, value) => {
    const name = variable.toLowerCase();
    const flag = `--${name.replaceAll("_", "-")}=${text}`;
    const others = COMPANIONS[variable] ?? {};
    const wrong = "not\tusable"; // a fault wherever it is in effect
    const argv = ["--config=/m.yaml"];
    const wrongFile = () => `${name}: ${JSON.stringify(wrong)}`;
    const rightFile = () => `${name}: ${JSON.stringify(text)}`;
    expect<unknown>(
      configOf({ argv: [...argv, flag], env: { ...others, [variable]: wrong }, readFile: wrongFile })[key],
    ).toEqual(value);
    expect<unknown>(configOf({ argv, env: { ...others, [variable]: text }, readFile: wrongFile })[key]).toEqual(value);
    expect(faultsOf({ argv, env: { [variable]: wrong }, readFile: rightFile })).toHaveLength(1);
    expect(faultsOf({ argv, readFile: wrongFile })).toHaveLength(1);
  });

  test("the defaults are those of docs/configuration.md", () => {
    expect(configOf()).toEqual({
      port: 8080,
      host: "127.0.0.1",
      hostGiven: false,
      serverId: toServerId(hostname()),
      metricsListener: undefined,
      apiKeys: [],
      clientKeys: [],
      adminKeys: [],
      apiRoles: [],
      clientRoles: [],
      adminRoles: [],
      oidcIssuer: undefined,
      oidcClientId: undefined,
      oidcClientSecret: undefined,
      oidcAdminClaims: [],
      oidcViewerClaims: [],
      oidcCallerClaims: [],
      mcpTokenLifeMs: 3_600_000,
      mcpGrantIdleMs: 2_592_000_000,
      mcpClientDocuments: true,
      trustedProxies: [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
      ],
      allowedOrigins: [],
      publicUrl: undefined,
      allowedHosts: [],
      plugins: ids,
      requestTimeoutMs: 120_000,
      requestTimeoutWholeMs: 600_000,
      asrRequestTimeoutMs: 1_800_000,
      mcpRequestTimeoutMs: 1_800_000,
      queueSize: 100,
      queueTimeoutMs: 60_000,
      queueWeights: { input: 1, cached: 0.1, output: 8 },
      endUserHeaders: ["x-openwebui-user-id"],
      explainRouting: false,
      meterStreams: "ask",
      modelGraceMs: 600_000,
      keepaliveIntervalMs: 15_000,
      maxJsonBodyBytes: 33_554_432,
      maxAudioBodyBytes: 2_147_483_648,
      asrReplayBytes: 268_435_456,
      transferTtlMs: 60_000,
      transferMaxChannels: 1000,
      mcpMaxBodyBytes: 10_485_760,
      mcpMaxAnswerBytes: 33_554_432,
      mcpMaxCalls: 1024,
      mcpMaxStreams: 1024,
      startGraceMs: 30_000,
      mcpRejoinTimeoutMs: 10_000,
      spoolDirectory: tmpdir(),
      spoolBytes: 8_589_934_592,
      dataDir: undefined,
      storeSync: "normal",
      usageFlushMs: 1000,
      mcpCallsKept: 100_000,
      keysFile: undefined,
      natsServers: [],
      natsCredentials: undefined,
      natsAuthority: undefined,
      clusterName: "moorage",
      clusterListener: { host: undefined, port: 8088 },
      clusterAddress: undefined,
      clusterOpen: false,
      keysStaleMs: 3_600_000,
      region: undefined,
      drainDelayMs: 0,
      drainTimeoutMs: 300_000,
      llmMaxParallelEmbeddings: 8,
      logLevel: "info",
      logFormat: "json",
      registerTimeoutMs: 10_000,
      authFailuresPerMinute: 20,
      maxRequestsPerKey: 200,
      maxRequestsPerAddress: 1000,
      windowBytes: 262_144,
      legacyHoldBytes: 8_388_608,
      legacyBodyBytes: 268_435_456,
      pingIntervalMs: 15_000,
      earlyHeadersMs: 8000,
      clientStallTimeoutMs: 600_000,
      confirmTimeoutMs: 5000,
    });
  });

  test("numbers and lists need no quotes in YAML", () => {
    const yaml =
      "port: 81\nmetrics_port: 9090\nrequest_timeout: 90\nmax_body_bytes: 4096\napi_key: [a, b]\ntrusted_proxies: []";
    expect(configOf({ yaml })).toMatchObject({
      port: 81,
      metricsListener: { port: 9090 },
      requestTimeoutMs: 90_000,
      maxJsonBodyBytes: 4096,
      apiKeys: ["a", "b"],
      trustedProxies: [],
    });
  });
});

describe("the host", () => {
  const keys = { API_KEY: "a", CLIENT_KEY: "b" };

  test.each<[string, Record<string, string>, string]>([
    ["nothing is configured", {}, "127.0.0.1"],
    ["only clients need a key", { API_KEY: "a" }, "127.0.0.1"],
    ["only workers need a key", { CLIENT_KEY: "b" }, "127.0.0.1"],
    ["only clients need a role", { API_HTTP_ROLES: "user" }, "127.0.0.1"],
    ["clients have both and workers neither", { API_KEY: "a", API_HTTP_ROLES: "user" }, "127.0.0.1"],
    ["both need a key", keys, "0.0.0.0"],
    ["both need a role", { API_HTTP_ROLES: "user", CLIENT_HTTP_ROLES: "worker" }, "0.0.0.0"],
    ["one needs a key and the other a role", { API_KEY: "a", CLIENT_HTTP_ROLES: "worker" }, "0.0.0.0"],
  ])("when %s, is chosen so that nobody gets in by accident", (_name, env, host) => {
    expect(configOf({ env })).toMatchObject({ host, hostGiven: false });
  });

  test("is the one that is set, with and without keys", () => {
    expect(configOf({ env: { HOST: "0.0.0.0" } })).toMatchObject({ host: "0.0.0.0", hostGiven: true });
    expect(configOf({ env: { ...keys, HOST: "127.0.0.1" } })).toMatchObject({ host: "127.0.0.1", hostGiven: true });
    expect(configOf({ env: { HOST: "" } })).toMatchObject({ host: "127.0.0.1", hostGiven: false });
  });

  test("is not opened by keys that turn out empty, which are refused", () => {
    expect(faultsOf({ env: { API_KEY: "," } })[0]).toStartWith("api_key: environment variable API_KEY is not usable");
    expect(faultsOf({ argv: ["--api-key="] })[0]).toStartWith("api_key: flag --api-key has no value");
  });

  test("is also that of a metrics port without a host", () => {
    expect(configOf({ env: { METRICS_PORT: "9090" } }).metricsListener).toEqual({ host: "127.0.0.1", port: 9090 });
    expect(configOf({ env: { METRICS_PORT: "9090", ...keys } }).metricsListener).toEqual({
      host: "0.0.0.0",
      port: 9090,
    });
  });

  test("needs no second listener for metrics on the public address", () => {
    expect(configOf({ env: { METRICS_PORT: "8080" } }).metricsListener).toBeUndefined();
    expect(configOf({ env: { METRICS_PORT: "127.0.0.1:8080" } }).metricsListener).toBeUndefined();
    expect(configOf({ env: { METRICS_PORT: "127.0.0.2:8080" } }).metricsListener).toEqual({
      host: "127.0.0.2",
      port: 8080,
    });
    expect(configOf({ env: { METRICS_PORT: "0", PORT: "0" } }).metricsListener).toEqual({ host: "127.0.0.1", port: 0 });
  });
});

describe("the server's id", () => {
  test("is the platform's machine id unless the file, the environment or a flag sets one", () => {
    const env = { FLY_MACHINE_ID: "148ed193b95068" };
    expect(configOf({ env }).serverId).toBe("148ed193b95068");
    expect(configOf({ env, yaml: "server_id: eu-1" }).serverId).toBe("eu-1");
    expect(configOf({ env: { ...env, SERVER_ID: "eu-2" } }).serverId).toBe("eu-2");
    expect(configOf({ env, argv: ["--server-id=eu-3"] }).serverId).toBe("eu-3");
  });

  test.each(["a~b", "a b", "a.b", "a".repeat(33), "ä"])("cannot be %p", (text) => {
    expect(faultsOf({ env: { SERVER_ID: text } })).toHaveLength(1);
    expect(faultsOf({ env: { FLY_MACHINE_ID: text } })).toHaveLength(1);
  });
});

describe("a NATS URL", () => {
  const serversOf = (text: string) => configOf({ env: { NATS_URL: text, CLUSTER_OPEN: "true" } }).natsServers;
  const nobody = { user: undefined, password: undefined, token: undefined };

  test.each([
    ["a bare host", "nats", { host: "nats", port: 4222, isTls: false, ...nobody }],
    ["an IPv6 address", "nats://[fd00::7]:5", { host: "fd00::7", port: 5, isTls: false, ...nobody }],
    ["TLS", "TLS://nats.example.com/", { host: "nats.example.com", port: 4222, isTls: true, ...nobody }],
    ["a token", "nats://t%40k@nats", { host: "nats", port: 4222, isTls: false, ...nobody, token: "t@k" }],
    [
      "an @ and a colon in the password",
      "nats://me:a:b@c@nats",
      { host: "nats", port: 4222, isTls: false, user: "me", password: "a:b@c", token: undefined },
    ],
  ])("may have %s", (_what, text, server) => {
    expect(serversOf(text)).toEqual([server]);
  });

  test("may stand beside those of other nodes", () => {
    expect(serversOf("nats://me:pw@a:1,nats://b:2").map(({ host }) => host)).toEqual(["a", "b"]);
  });

  test.each([
    "ws://nats",
    "nats://",
    "nats://a/b",
    "nats://a:0",
    "nats://a:70000",
    "nats://me:%zz@a",
    "nats://fd00::7",
  ])("cannot be %p", (text) => {
    expect(faultsOf({ env: { NATS_URL: text, CLUSTER_OPEN: "true" } })).toHaveLength(1);
  });

  test("never appears in a report, a wrong one included", () => {
    const [fault] = faultsOf({ env: { NATS_URL: "http://me:hush@nats" } });
    expect(fault).toStartWith(
      "nats_url: environment variable NATS_URL item 1 is not usable; it takes URLs of NATS servers",
    );
    const printed = load({ argv: ["--print-config"], env: { NATS_URL: "nats://me:hush@nats" } });
    expect(JSON.stringify(printed)).not.toContain("hush");
  });

  test.each([
    ["another machine", { NATS_URL: "nats://nats" }, 1],
    ["another machine beside this one", { NATS_URL: "nats://127.0.0.1,nats://10.0.0.7" }, 1],
    ["this machine", { NATS_URL: "nats://127.0.0.1,nats://localhost:4223,nats://[::1]:4224" }, 0],
    ["another machine that is meant to be open", { NATS_URL: "nats://nats", CLUSTER_OPEN: "true" }, 0],
    ["another machine with a user", { NATS_URL: "nats://me:pw@nats" }, 0],
    ["another machine with a token", { NATS_URL: "nats://token@nats" }, 0],
    ["another machine with a credentials file", { NATS_URL: "nats://nats", NATS_CREDS: "/nats.creds" }, 0],
  ])("without credentials is refused unless it is this machine: %s", (_where, env, faults) => {
    expect(faultsOf({ env })).toHaveLength(faults);
  });

  test("without credentials is refused with what to do about it", () => {
    expect(faultsOf({ env: { NATS_URL: "nats://nats" } })[0]).toContain("set CLUSTER_OPEN=true");
  });
});

describe("public names", () => {
  test.each(["ftp://a.example", "https://a.example/path", "a.example", "https://u:p@a.example", "*"])(
    "cannot have %p as a URL",
    (text) => {
      expect(faultsOf({ env: { PUBLIC_URL: text } })).toHaveLength(1);
    },
  );

  test.each(["a.example:443", "https://a.example", "1.2.3"])("cannot have %p as a host name", (text) => {
    expect(faultsOf({ env: { ALLOWED_HOSTS: text } })).toHaveLength(1);
  });
});

describe("the queue's weights", () => {
  const weightsOf = (text: string) => configOf({ env: { QUEUE_WEIGHTS: text } }).queueWeights;

  test("keep their defaults where they are left out", () => {
    expect(weightsOf("output=1")).toEqual({ input: 1, cached: 0.1, output: 1 });
    expect(weightsOf("INPUT = .5, cached=0")).toEqual({ input: 0.5, cached: 0, output: 8 });
  });

  test("may be 0 as long as one is not", () => {
    expect(weightsOf("input=0,cached=0,output=1000")).toEqual({ input: 0, cached: 0, output: 1000 });
  });

  test.each([
    ["an unknown name", "input=1,outputs=8", ' item 2 is "outputs=8"'],
    ["a negative number", "output=-8", ' item 1 is "output=-8"'],
    ["a number beyond the limit", "output=1001", ' item 1 is "output=1001"'],
    ["something that is not a number", "cached=1e3", ' item 1 is "cached=1e3"'],
    ["no number", "cached", ' item 1 is "cached"'],
    ["a name twice", "input=1,input=2", ' is "input=1,input=2"'],
    ["nothing but zeros", "input=0,cached=0,output=0", ' is "input=0,cached=0,output=0"'],
  ])("are refused for %s", (_why, text, wrong) => {
    expect(faultsOf({ env: { QUEUE_WEIGHTS: text } })).toEqual([
      `queue_weights: environment variable QUEUE_WEIGHTS${wrong}; it takes weights from 0 to 1000 for input, cached and output, each at most once and not all 0 (such as input=1,cached=0.1,output=8; one that is left out keeps its default)`,
    ]);
  });

  test("are refused as an empty list", () => {
    expect(faultsOf({ yaml: "queue_weights: []" })).toHaveLength(1);
  });
});

describe("the headers of end users", () => {
  test("can be none", () => {
    expect(configOf({ env: { END_USER_HEADERS: "none" } }).endUserHeaders).toEqual([]);
  });

  test.each(["a b", "x-user:", "ä", "x".repeat(129), "Authorization", "x-user, cookie", "X-API-Key"])(
    "cannot be %p",
    (text) => {
      expect(faultsOf({ env: { END_USER_HEADERS: text } })).toHaveLength(1);
    },
  );
});

describe("plugins", () => {
  test("are all selected by a star, whatever stands beside it", () => {
    expect(configOf({ env: { PLUGINS: "*" } }).plugins).toEqual(ids);
    expect(configOf({ env: { PLUGINS: "llm,*" } }).plugins).toEqual(ids);
  });

  test("are refused with the list of known ones if one is unknown", () => {
    expect(faultsOf({ env: { PLUGINS: "llm,vision" } })).toEqual([
      'plugins: environment variable PLUGINS item 2 is "vision"; it takes * or at least one of llm, asr, mcp, transfer, comma separated',
    ]);
  });

  test("are refused if there are none", () => {
    expect(faultsOf({ yaml: "plugins: []" })).toHaveLength(1);
  });
});

describe("loading the configuration", () => {
  test("freezes the result deeply", () => {
    const config = configOf({ env: { API_KEY: "a", METRICS_PORT: "9090" } });
    const values = [config, ...Object.values(config)].filter((each) => typeof each === "object");
    expect(values.length).toBeGreaterThan(7);
    expect(values.every((each) => Object.isFrozen(each))).toBe(true);
  });

  test("reports all faults of all sources at once", () => {
    const faults = faultsOf({
      argv: ["--config=/m.yaml", "--prot", "1", "stray"],
      env: { PORT: "x", WINDOW_BYTES: "1KiB" },
      readFile: () => "queue_sise: 1\nlog_level: loud",
    });
    expect(faults).toEqual([
      "--prot: unknown flag; did you mean --port?",
      "queue_sise: unknown key in file /m.yaml; did you mean queue_size?",
      'port: environment variable PORT is "x"; it takes a port from 0 to 65535, 0 for any free one',
      'log_level: file /m.yaml key log_level is "loud"; it takes debug, info, warn, error or none',
      'window_bytes: environment variable WINDOW_BYTES is "1KiB"; it takes a size from 16KiB to 16MiB (such as 64KiB, 10MB or 2GiB; a bare number is bytes)',
      "argument 4: is not a flag; flags begin with two dashes",
    ]);
  });

  test("enforces the limits of every setting", () => {
    for (const each of Object.values(table)) {
      const faults = faultsOf({ env: { [each.variable]: "-2 \t" } });
      if (!each.kind.isNumeric) continue;
      expect(faults).toHaveLength(1);
      expect(faults[0]).toStartWith(`${each.yamlKey}: environment variable ${each.variable} is "-2`);
    }
  });

  test("makes the log readable on a terminal unless a format is set", () => {
    expect(configOf({ isTerminal: true }).logFormat).toBe("pretty");
    expect(configOf({ isTerminal: true, env: { LOG_FORMAT: "json" } }).logFormat).toBe("json");
  });

  test("prints every flag for --help, and the version for --version", () => {
    const help = load({ argv: ["--help"] });
    const text = help.kind === "print" ? help.text : "";
    for (const each of [CONFIG_FILE, ...Object.values(table)]) expect(text).toContain(`\n  --${each.flag} <`);
    expect(load({ argv: ["--version"] })).toEqual({ kind: "print", text: "moorage 9.8.7" });
  });

  test("prints effective values, derived ones too, and no key for --print-config", () => {
    const env = { API_KEY: "hush1,hush2", CLIENT_KEY: "hush3", METRICS_PORT: "9090", PLUGINS: "*" };
    const loaded = load({ argv: ["--print-config"], env, isTerminal: true });
    const text = loaded.kind === "print" ? loaded.text : "";
    expect(Bun.YAML.parse(text)).toMatchObject({
      port: 8080,
      host: "0.0.0.0",
      metrics_port: "0.0.0.0:9090",
      plugins: "llm,asr,mcp,transfer",
      log_format: "pretty",
      request_timeout: "120s",
      api_key: "********,********",
    });
    expect(text).toContain("# environment variable API_KEY");
    expect(text).not.toContain("hush");
  });

  test("reports faults instead of values for --print-config of a wrong configuration", () => {
    expect(load({ argv: ["--print-config", "--port=x"] }).kind).toBe("faults");
  });

  test("gives tests the frozen defaults with their changes", () => {
    const config = defaultConfig({ port: 0, apiKeys: ["k"], queueTimeoutMs: 5 });
    expect(config).toEqual({ ...configOf(), port: 0, apiKeys: ["k"], queueTimeoutMs: 5 });
    expect(Object.isFrozen(config) && Object.isFrozen(config.apiKeys)).toBe(true);
  });
});

describe("docs/configuration.md", () => {
  test("lists every setting of the server exactly as in the code", () => {
    expect(docs).toContain(
      `\n${markdownTable({ configFile: CONFIG_FILE, ...table })}\n\n<!-- end of server settings -->`,
    );
  });

  test("has an example file that loads", () => {
    const yaml = /```yaml\n(.*?)```/s.exec(docs)?.[1] ?? "";
    expect(configOf({ yaml })).toMatchObject({ queueSize: 200, plugins: ["llm", "asr"] });
  });

  test("quotes faults word for word", () => {
    const faults = faultsOf({
      argv: ["--config=/etc/moorage.yaml"],
      env: { PORT: "80a" },
      readFile: () => "queue_sise: 1",
    });
    expect(faults).toHaveLength(2);
    for (const fault of faults) expect(docs).toContain(`\n${fault}\n`);
  });
});
