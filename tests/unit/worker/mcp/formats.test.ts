import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readServersDocument } from "../../../../src/worker/mcp/formats/servers-document.ts";
import type { McpServersReading } from "../../../../src/worker/mcp/mcp-server.ts";
import { readServersFile } from "../../../../src/worker/mcp/servers-file.ts";

const FIXTURES = join(import.meta.dir, "../../../fixtures/servers-files");
const env = { HOME: "/home/me", API_KEY: "k-1", TEAM: "red", GITHUB_TOKEN: "t-1", SECRET: "s" };

function read(text: string, variables: Readonly<Record<string, string>> = env): McpServersReading {
  const readFile = (path: string): string => (path === ".env" ? "FROM_FILE=1\n" : text);
  return readServersFile("file", { env: variables, readFile });
}

function readFixture(name: string, variables?: Readonly<Record<string, string>>): McpServersReading {
  return read(readFileSync(join(FIXTURES, name), "utf8"), variables);
}

function program(command: string, args: readonly string[], more: object = {}) {
  return { kind: "command", command, args, env: {}, ...more };
}

function remote(headers: readonly (readonly [string, string])[] = [], transport = "auto") {
  return { kind: "url", url: "https://mcp.example.com/mcp", transport, headers };
}

const FILES = program("npx", ["-y", "server-files"]);
const KEY = [["authorization", "Bearer k-1"]] as const;

/** What each program's file says, by its name below the fixtures. */
const PROGRAMS: Readonly<Record<string, readonly (readonly [name: string, source: object])[]>> = {
  "amp.json": [
    ["files", FILES],
    ["remote", remote([["authorization", "Bearer x"]])],
  ],
  "claude-code.json": [
    ["issues", { kind: "url", url: "http://127.0.0.1:7777/mcp", transport: "http", headers: KEY }],
    ["events", { kind: "url", url: "http://127.0.0.1:7778/sse", transport: "sse" }],
    ["files", FILES],
  ],
  "claude-desktop.json": [
    ["filesystem", program("npx", ["-y", "@modelcontextprotocol/server-filesystem", "/srv/files"])],
    [
      "memory",
      program("npx", ["-y", "@modelcontextprotocol/server-memory"], { env: { MEMORY_FILE_PATH: "/srv/memory.json" } }),
    ],
  ],
  "claude-plugin.json": [["database", program("db-server", ["--config", "/srv/db.json"], { env: { LEVEL: "info" } })]],
  "cline.json": [
    ["local", program("node", ["/srv/server.js"], { env: { API_KEY: "k" } })],
    ["remote", remote([["x-key", "k"]], "http")],
  ],
  "codex.toml": [
    ["local", program("npx", ["-y", "server-files"], { env: { API_KEY: "k-1", LEVEL: "info" }, directory: "/srv" })],
    ["remote", remote([...KEY, ["x-region", "eu"], ["x-team", "red"]])],
  ],
  "continue.yaml": [
    ["Local files", { ...FILES, env: { API_KEY: "k-1" } }],
    ["Remote", remote(KEY, "http")],
  ],
  "cursor.json": [
    ["local", program("python", ["/home/me/server.py"], { env: { FROM_FILE: "1", API_KEY: "k-1" } })],
    ["remote", remote(KEY)],
  ],
  "gemini.json": [
    ["api", remote([["authorization", "Bearer k-1"]])],
    ["events", { kind: "url", url: "http://127.0.0.1:7778/sse", transport: "auto" }],
    ["local", program("python", ["-m", "server"], { env: { KEY: "k-1" }, directory: "/srv" })],
  ],
  "goose.yaml": [
    ["GitHub", program("npx", ["-y", "server-github"], { env: { API_KEY: "k-1", LEVEL: "info" } })],
    ["remote", remote(KEY, "http")],
  ],
  "librechat.yaml": [
    ["remote", remote([["x-key", "k-1"]], "http")],
    ["files", FILES],
  ],
  "lm-studio.json": [["hub", remote([["authorization", "Bearer x"]])]],
  "mcpo.json": [
    ["time", program("uvx", ["mcp-server-time", "--local-timezone=UTC"])],
    ["events", { kind: "url", url: "http://127.0.0.1:8001/sse", transport: "sse" }],
    ["http", { kind: "url", url: "http://127.0.0.1:8002/mcp", transport: "http" }],
  ],
  "opencode.jsonc": [
    ["local", { ...FILES, env: { API_KEY: "k-1" } }],
    ["remote", remote(KEY)],
  ],
  "opencode-2.json": [["local", { ...FILES, directory: "." }]],
  "vscode.jsonc": [
    ["github", remote([["authorization", "Bearer t-1"]], "http")],
    ["playwright", program("npx", ["-y", "@playwright/mcp"], { env: { FROM_FILE: "1" } })],
  ],
  "windsurf.json": [["search", remote([["api_key", "k-1"]])]],
  "zed.jsonc": [
    ["local", program("npx", ["-y", "server-files"], { env: { A: "b" } })],
    ["older", program("uvx", ["server-git"])],
    ["remote", remote([["authorization", "Bearer x"]])],
  ],
};

describe("the file of another program", () => {
  test("has an expectation for each fixture", () => {
    expect(readdirSync(FIXTURES).sort()).toEqual(Object.keys(PROGRAMS).sort());
  });

  test.each(Object.entries(PROGRAMS))("is read as it is: %s", (name, expected) => {
    const { servers, faults } = readFixture(name);
    expect(faults).toEqual([]);
    expect(servers.map((server) => [server.name, server.source])).toMatchObject(
      expected.map(([each, source]) => [each, source]),
    );
    expect(servers.every(({ access }) => access.kind === "none")).toBe(true);
  });

  test.each([
    [
      "vscode.jsonc",
      `github: $\{input:github-token} is a value that an editor asks for; set the variable GITHUB_TOKEN`,
    ],
    ["codex.toml", "remote: the variable TEAM is not set"],
    ["goose.yaml", "github: the variable API_KEY is not set"],
    ["continue.yaml", "Remote: the variable API_KEY is not set"],
    ["opencode.jsonc", "remote: the variable API_KEY is not set"],
  ])("names the variables that are missing: %s", (name, fault) => {
    expect(readFixture(name, { HOME: "/home/me" }).faults).toContainEqual(expect.stringContaining(fault));
  });

  test.each([
    [
      { context_servers: { a: { source: "extension", settings: {} } } },
      "servers: a: it is started by an extension of Zed; give its command or its url",
    ],
    [
      { mcpServers: [{ uses: "acme/files" }] },
      "servers: server 1: its block is on Continue's hub; copy the block's command or url into the file",
    ],
    [{ mcpServers: [{ command: "x" }] }, "servers: server 1: it has no name"],
    [
      { mcpServers: [{ name: "a", command: "x", args: [] }, { name: "a" }] },
      "servers: a: another server of the list has the same name",
    ],
    [{ mcpServers: ["x"] }, "servers: server 1 is not a map"],
    [
      { mcpServers: { a: { url: "https://h", auth: { token: "t" } } } },
      "servers: a.auth is not known, and a relay ignores no field about access",
    ],
    [{ mcp: { a: { type: "local", command: [] } } }, "servers: a: it takes either a command or a url"],
    [{ mcpServers: { a: { command: [5] } } }, "servers: a.command is not usable; it takes a text"],
    [{ mcpServers: {} }, "servers: file file has no server that is enabled"],
    [{ model: "x" }, "servers: file file has no map `mcpServers` with a server under each name"],
  ])("says what to do where it cannot be read: %j", (file, fault) => {
    expect(read(JSON.stringify(file)).faults).toEqual([fault]);
  });

  test("names variables of headers as secrets, in whatever form they are written", () => {
    const withheld = (name: string) =>
      readFixture(name).servers.flatMap(({ source }) => (source.kind === "command" ? source.withheld : []));
    for (const name of ["codex.toml", "opencode.jsonc", "continue.yaml", "goose.yaml"])
      expect(withheld(name)).toContain("API_KEY");
    expect(withheld("vscode.jsonc")).toContain("GITHUB_TOKEN");
  });

  test("keeps lists of tools, and the fields that mean nothing to a relay", () => {
    const listed = (name: string) => readFixture(name).servers.map(({ rules }) => rules ?? []);
    expect(listed("codex.toml")).toEqual([[{ tools: ["read_file"] }, { tools: ["!write_file"] }], []]);
    expect(listed("goose.yaml")).toEqual([[{ tools: ["get_issue"] }], []]);
    expect(listed("gemini.json")[0]).toEqual([{ tools: ["read_file"] }, { tools: ["!write_file"] }]);
    expect(listed("mcpo.json")[0]).toEqual([{ tools: ["!convert_time"] }]);
    expect(readFixture("cursor.json").servers[1]?.unused?.ignored).toEqual(["auth"]);
  });
});

describe("one URL for all servers", () => {
  const TEAM = { id: "team", auth_token: "0123456789abcdef0123456789abcdef" };
  const ENTRY = { a: { command: "x" } };

  test.each([
    { mcpServers: ENTRY },
    { $schema: "https://example.com/schema.json", mcpServers: ENTRY },
    { schema: "v1", mcpServers: ENTRY },
    { version: "1", mcpServers: ENTRY },
    { mcpServers: [{ name: "a", command: "x" }] },
    { servers: ENTRY },
    { mcp: { servers: ENTRY } },
    { mcp_servers: ENTRY },
    { context_servers: ENTRY },
    { extensions: { a: { type: "stdio", cmd: "x" } } },
    { mcp: { a: { type: "local", command: ["x"] } } },
    ENTRY,
  ])("counts in every file: %j", (file) => {
    const { servers, faults } = read(JSON.stringify({ ...file, one_url: TEAM }));
    expect(faults).toEqual([]);
    expect(servers.map(({ id, access }) => ({ id, access }))).toEqual([
      { id: undefined, access: { kind: "none" } },
      { id: "team", access: { kind: "token", token: TEAM.auth_token } },
    ]);
  });

  test.each(["continue.yaml", "codex.toml", "goose.yaml", "opencode-2.json", "librechat.yaml"])(
    "is not in the file of another program: %s",
    (name) => {
      const document = readServersDocument(readFileSync(join(FIXTURES, name), "utf8"));
      expect(document).toMatchObject({ oneUrl: undefined });
      expect(JSON.stringify(document)).not.toContain('"version"');
    },
  );
});
