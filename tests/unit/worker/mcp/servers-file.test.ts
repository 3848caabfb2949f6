import { describe, expect, test } from "bun:test";
import { readMcpServers } from "../../../../src/worker/mcp/mcp-servers.ts";
import { readServersFile } from "../../../../src/worker/mcp/servers-file.ts";
import { workerSettings } from "../../../support/test-worker.ts";

function read(text: string, env: Record<string, string> = {}) {
  const readFile = (path: string): string => {
    if (path === "none") throw new Error("no such file");
    return path === "/srv/.env" ? "FROM_FILE=1\nKEY=of the file\n" : text;
  };
  return readServersFile("mcp.yaml", { env, readFile });
}

describe("a file with MCP servers", () => {
  test("may be the one that MCP clients use, unchanged", () => {
    const { servers, faults } = read(`{
      "globalShortcut": "Ctrl+Space",
      "mcpServers": {
        "files": { "command": "npx", "args": ["-y", "server-filesystem", "/srv/my files", 3], "env": { "DEBUG": 1 }, "alwaysAllow": [] },
        "tickets": { "type": "http", "url": "http://127.0.0.1:7777/mcp/" },
        "old": { "type": "sse", "url": "http://127.0.0.1:7778/sse" },
        "off": { "command": "x", "disabled": true }
      }
    }`);
    expect(faults).toEqual([]);
    expect(servers).toEqual([
      {
        name: "files",
        id: undefined,
        source: {
          kind: "command",
          command: "npx",
          args: ["-y", "server-filesystem", "/srv/my files", "3"],
          env: { DEBUG: "1" },
          withheld: [],
          directory: undefined,
          sharing: "none",
        },
        access: { kind: "none" },
        unused: { ignored: ["alwaysAllow"] },
      },
      {
        name: "tickets",
        id: undefined,
        source: { kind: "url", url: "http://127.0.0.1:7777/mcp", transport: "http", headers: [] },
        access: { kind: "none" },
      },
      {
        name: "old",
        id: undefined,
        source: { kind: "url", url: "http://127.0.0.1:7778/sse", transport: "sse", headers: [] },
        access: { kind: "none" },
      },
    ]);
  });

  test("may be YAML, with ids and access", () => {
    const { servers, faults } = read(
      `servers:
  one: { url: "http://127.0.0.1:1/mcp", id: one-1, name: The first, auth_token_env: ONE_TOKEN }
  two: { url: "http://127.0.0.1:2/mcp", oauth: true }
  twice: { url: "http://127.0.0.1:2/mcp", oauth: true, access: oauth }
  open: { url: "http://127.0.0.1:2/mcp", access: none }
  shared: { url: "http://127.0.0.1:2/mcp", access: connector }
  three: { command: serve, cwd: /srv, auth_token: t-3 }
`,
      { ONE_TOKEN: "t-1" },
    );
    expect(faults).toEqual([]);
    expect(servers.map(({ name, id, access }) => [name, id, access])).toEqual([
      ["The first", "one-1", { kind: "token", token: "t-1" }],
      ["two", undefined, { kind: "oauth" }],
      ["twice", undefined, { kind: "oauth" }],
      ["open", undefined, { kind: "none" }],
      ["shared", undefined, { kind: "connector" }],
      ["three", undefined, { kind: "token", token: "t-3" }],
    ]);
  });

  test.each([
    ["[]", "servers: file mcp.yaml has no map `mcpServers` with a server under each name"],
    ["mcpServers: [", "servers: file mcp.yaml is neither YAML nor JSON nor TOML"],
    ["mcpServers: {}", "servers: file mcp.yaml has no server that is enabled"],
    ["mcpServers: { a: 7 }", "servers: a is not a map"],
    ["mcpServers: { a: {} }", "servers: a: it takes either a command or a url"],
    ["mcpServers: { a: { command: x, url: 'http://h' } }", "servers: a: it takes either a command or a url"],
    ["mcpServers: { a: { command: x, type: sse } }", "servers: a: a command is of the type stdio"],
    ["mcpServers: { a: { command: x, comand: y } }", "servers: a.comand is not known; did you mean command?"],
    ["mcpServers: { a: { command: x, args: y } }", "servers: a.args is not usable; it takes a list of strings"],
    [
      "mcpServers: { a: { url: 'ftp://h' } }",
      "servers: a: the url must be http or https, without user name, password and query",
    ],
    [
      "mcpServers: { a: { url: 'http://h', headers: { Content-Length: 1 } } }",
      "servers: a: the header content-length is up to the MCP transport",
    ],
    [
      "mcpServers: { a: { url: 'http://h', headers: { 'X Y': 1 } } }",
      "servers: a: a header must be a name, and a value without line breaks",
    ],
    [
      "mcpServers: { a: { url: 'http://h', oauth: true, headers: { Authorization: x } } }",
      "servers: a: with oauth, callers send their own Authorization, so the relay cannot set it",
    ],
    [
      "mcpServers: { a: { command: x, headers: { X: y } } }",
      "servers: a: only a server with a url gets headers; give a program its key in env",
    ],
    ["mcpServers: { a: { command: x, envFile: none } }", "servers: a: the envFile cannot be read"],
    [
      "mcpServers: { a: { command: x, bearerToken: t } }",
      "servers: a.bearerToken is not known, and a relay ignores no field about access",
    ],
    [
      "mcpServers: { a: { url: 'http://h', httpUrl: 'http://i' } }",
      "servers: a.httpUrl means the same as url; give only one of them",
    ],
    ["mcpServers: { a: { url: 'http://h', shared: true } }", "servers: a: only a server with a command can be shared"],
    [
      "mcpServers: { a: { command: x, shared: maybe } }",
      "servers: a.shared is not usable; it takes true, false or serial",
    ],
    ["mcpServers: { a: { command: x, oauth: true } }", "servers: a: only a server with a url can use oauth"],
    ["mcpServers: { a: { command: x, access: oauth } }", "servers: a: only a server with a url can use oauth"],
    [
      "mcpServers: { a: { command: x, access: all } }",
      "servers: a.access is not usable; it takes none, token, oauth or connector",
    ],
    [
      "mcpServers: { a: { command: x, access: token } }",
      "servers: a: access: token needs auth_token, auth_token_env or callers",
    ],
    [
      "mcpServers: { a: { command: x, access: connector, auth_token: t } }",
      "servers: a: access: connector and a token exclude each other",
    ],
    [
      "mcpServers: { a: { url: 'http://h', access: connector, oauth: true } }",
      "servers: a: oauth: true and access: connector exclude each other",
    ],
    [
      "mcpServers: { a: { command: x, auth_token_env: NONE } }",
      "servers: a: auth_token_env names the variable NONE, which is not set",
    ],
    [
      "mcpServers: { a: { command: x, auth_token: t, auth_token_env: T } }",
      "servers: a: auth_token, auth_token_env, oauth and callers exclude each other",
    ],
    [
      "mcpServers: { a: { command: x, oauth: true, callers: { b: { token: t } } } }",
      "servers: a: auth_token, auth_token_env, oauth and callers exclude each other",
    ],
    [
      "mcpServers: { a: { url: 'http://h', oauth: true, tools: ['@read-only'] } }",
      "servers: a: with oauth the relay cannot see which tools are read-only, so tools cannot have @read-only",
    ],
    ["mcpServers: { a: { command: x, callers: { b: {} } } }", "servers: a: the caller b needs token or token_env"],
    [
      "mcpServers: { a: { command: x, callers: { b: { token_env: NONE } } } }",
      "servers: a: the caller b has the token_env NONE, which is not set",
    ],
    [
      "mcpServers: { a: { command: x, callers: { b: { token: t }, c: { token: t } } } }",
      "servers: a: the callers b and c have the same token",
    ],
    [
      "mcpServers: { a: { command: x, callers: { b: { token: t, tolls: [x] } } } }",
      "servers: a.callers.b.tolls is not usable; it takes a map of names to callers, each with token or token_env, and if you like tools, prompts, resources, parallel and requests_per_minute",
    ],
    [
      "mcpServers: { a: { command: x, tools: read_* } }",
      "servers: a.tools is not usable; it takes a list of at most 100 patterns, such as read_*, @read-only or !delete_*",
    ],
    [
      "mcpServers: { a: { command: x, includeTools: { b: true } } }",
      "servers: a.includeTools is not usable; it takes a list of the names of tools",
    ],
    [
      "mcpServers: { a: { command: x, includeTools: ['!b'] } }",
      "servers: a.includeTools is not usable; it takes a list of the names of tools",
    ],
    [
      "mcpServers: { a: { command: x, id: i }, b: { command: y, id: i } }",
      "servers: b.id is also the id of another server in the file",
    ],
    [
      "mcpServers: { a: { command: x, id: 'a/b' } }",
      "servers: a.id is not usable; it takes 1 to 128 letters, digits and . _ : @ - (but not . or .. alone)",
    ],
  ])("with %s is refused with a sentence", (text, fault) => {
    expect(read(text).faults).toEqual([fault]);
  });

  const variable = (name: string): string => `$\{${name}}`;
  const URL_SOURCE = { kind: "url", url: "http://127.0.0.1:1/mcp", transport: "http", headers: [] };
  test.each([
    [
      "Cursor",
      {
        mcpServers: {
          gh: { url: "https://h.example/mcp", headers: { Authorization: `Bearer ${variable("env:GH")}` } },
        },
      },
      [
        {
          source: {
            kind: "url",
            url: "https://h.example/mcp",
            transport: "auto",
            headers: [["authorization", "Bearer of-gh"]],
          },
        },
      ],
    ],
    [
      "VS Code",
      {
        inputs: [],
        servers: {
          w: { type: "http", url: "http://127.0.0.1:1/mcp", gallery: true, version: "1.0" },
          p: { type: "stdio", command: "npx", args: ["x"], envFile: "/srv/.env", env: { KEY: "own" }, dev: {} },
        },
      },
      [
        { source: URL_SOURCE, unused: { ignored: ["gallery", "version"] } },
        { source: { kind: "command", env: { FROM_FILE: "1", KEY: "own" } }, unused: { ignored: ["dev"] } },
      ],
    ],
    [
      "Gemini CLI",
      {
        mcpServers: {
          g: {
            httpUrl: "http://127.0.0.1:1/mcp",
            headers: { X: "y" },
            timeout: 5000,
            trust: true,
            includeTools: ["a"],
          },
        },
      },
      [
        {
          source: { ...URL_SOURCE, transport: "auto", headers: [["x", "y"]] },
          rules: [{ tools: ["a"] }],
          unused: { ignored: ["timeout", "trust"] },
        },
      ],
    ],
    [
      "Windsurf",
      { mcpServers: { w: { serverUrl: "http://127.0.0.1:1/mcp", disabledTools: ["x"] } } },
      [{ source: { ...URL_SOURCE, transport: "auto" }, rules: [{ tools: ["!x"] }] }],
    ],
    [
      "Cline",
      {
        mcpServers: {
          c: { autoApprove: [], disabled: false, timeout: 60, type: "streamableHttp", url: "http://127.0.0.1:1/mcp" },
          d: { command: "node", args: ["x.js"], alwaysAllow: ["t"], transportType: "stdio" },
        },
      },
      [{ source: URL_SOURCE }, { source: { kind: "command", command: "node" }, unused: { ignored: ["alwaysAllow"] } }],
    ],
    [
      "Claude Code",
      {
        mcpServers: {
          c: { type: "http", url: `$\{API:-http://127.0.0.1:1}/mcp`, headers: { Authorization: "Bearer x" } },
          o: { type: "http", url: "http://127.0.0.1:1/mcp", oauth: { clientId: "x" }, alwaysLoad: true },
        },
      },
      [
        { source: { ...URL_SOURCE, headers: [["authorization", "Bearer x"]] } },
        { source: URL_SOURCE, access: { kind: "none" }, unused: { ignored: ["oauth", "alwaysLoad"] } },
      ],
    ],
    [
      "Copilot",
      {
        mcpServers: {
          l: { type: "local", command: "npx", args: ["x"], tools: ["*"] },
          m: { command: "y", tools: ["a"] },
        },
      },
      [{ source: { kind: "command", command: "npx" } }, { rules: [{ tools: ["a"] }] }],
    ],
  ])("may be %s's: fields with a meaning are used, and the others are named", (_client, file, expected) => {
    const { servers, faults } = read(JSON.stringify(file), { GH: "of-gh" });
    expect(faults).toEqual([]);
    expect(servers).toMatchObject(expected as object[]); // the table mixes their shapes
  });

  test("names callers, each with a token and what it may use, and what all of them may use", () => {
    const { servers, faults } = read(
      `mcpServers:
  files:
    command: x
    tools: ["*", "!delete_*"]
    excludeTools: ["format(disk *)"]
    disabledTools: []
    audit_arguments: true
    callers:
      ann: { token_env: ANN, tools: ["read_*"], parallel: 4, requests_per_minute: 60 }
      bob: { token: "b-$\{BOB}", prompts: [], resources: ["file:///srv/*"] }
`,
      { ANN: "a-1", BOB: "1" },
    );
    expect(faults).toEqual([]);
    expect(servers).toMatchObject([
      {
        access: {
          kind: "callers",
          callers: [
            { name: "ann", token: "a-1", rules: { tools: ["read_*"] }, parallel: 4, requestsPerMinute: 60 },
            { name: "bob", token: "b-1", rules: { prompts: [], resources: ["file:///srv/*"] }, parallel: undefined },
          ],
        },
        rules: [{ tools: ["*", "!delete_*"] }, { tools: ["!format"] }],
        auditArguments: true,
        source: { withheld: ["ANN", "BOB"] },
      },
    ]);
  });

  test("has no token repeated in its faults", () => {
    const { faults } = read("mcpServers: { a: { command: x, auth_token: [secret-1] }, b: { auth_token: secret-2 } }");
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toContain("secret");
  });

  test("that cannot be read is named", () => {
    const readFile = (): string => {
      throw Object.assign(new Error("no"), { code: "ENOENT" });
    };
    expect(readServersFile("gone.yaml", { env: {}, readFile }).faults).toEqual([
      "servers: file gone.yaml cannot be read (ENOENT)",
    ]);
  });
});

test.each([
  [{ mcpUrl: "http://h", mcpOauth: "true", authToken: "t" }, "oauth: with it callers sign in"],
  [{ mcpCommand: "x", mcpOauth: "true" }, "oauth: only an MCP server that speaks HTTP"],
  [{ mcpCommand: "x", mcpAccess: "oauth" }, "oauth: only an MCP server that speaks HTTP"],
  [{ mcpUrl: "http://h", mcpAccess: "oauth", authToken: "t" }, "oauth: with it callers sign in"],
  [{ mcpUrl: "http://h", mcpAccess: "connector", authToken: "t" }, "access: with connector the relay checks no token"],
  [{ mcpUrl: "http://h", mcpAccess: "none", authToken: "t" }, "access: with none the relay checks no token"],
  [{ mcpUrl: "http://h", mcpAccess: "token" }, "access: the token that callers must send is missing"],
  [{ mcpUrl: "http://h", mcpAccess: "connector", mcpOauth: "true" }, "access: MCP_OAUTH=true is the older form"],
  [{ mcpServers: "f", mcpAccess: "connector" }, "servers: the file itself says who may call its servers"],
  [{ mcpUrl: "http://h", mcpShared: "true" }, "shared: only an MCP server that speaks stdio"],
  [{ mcpServers: "f", mcpShared: "true" }, "shared: the file itself says so"],
  [{ mcpServers: "f", id: "i" }, "id: the servers of a file have ids of their own"],
  [{ mcpServers: "f", authToken: "t" }, "servers: the file itself says who may call its servers"],
  [{ mcpServers: "f", mcpUrl: "http://h" }, "url: this and servers both name MCP servers"],
  [{ mcpCommand: "x", mcpHeaders: [["X", "y"]] }, "mcp_headers: only an MCP server with a --url gets headers"],
  [
    { mcpUrl: "http://h", mcpOauth: "true", mcpHeaders: [["Authorization", "y"]] },
    "mcp_headers: with oauth, callers send",
  ],
  [{ mcpUrl: "http://h", mcpHeaders: [["X", `$\{GONE}`]] }, "mcp_headers: the variable GONE is not set"],
] as const)("contradicting settings are reported: %p", (given, fault) => {
  const settings = { ...workerSettings({ server: "http://h" }), ...given };
  const { servers, faults } = readMcpServers(settings, { env: {}, readFile: () => "" });
  expect(servers).toEqual([]);
  expect(faults).toEqual([expect.stringContaining(fault) as unknown as string]); // An asymmetric matcher stands for one string.
});
