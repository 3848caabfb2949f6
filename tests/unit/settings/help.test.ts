import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../src/config.ts";
import { KNOWN_PLUGINS } from "../../../src/plugins.ts";
import { helpText } from "../../../src/settings/render.ts";
import { SERVER_GROUPS } from "../../../src/settings/server-help.ts";
import { serverTable } from "../../../src/settings/server-table.ts";
import { loadWorkerSettings } from "../../../src/worker/args.ts";
import { KIND_NAMES } from "../../../src/worker/kinds.ts";
import { WORKER_GROUPS, workerText } from "../../../src/worker/worker-help.ts";
import { workerTable } from "../../../src/worker/worker-table.ts";

const none = { env: {}, readFile: () => "", version: "1.2.3", isTerminal: false };

function flagsIn(text: string): readonly string[] {
  return [...text.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, flag = ""]) => flag);
}

describe("the groups of --help", () => {
  test("of the server contain each of its settings once, under a heading that says what it is about", () => {
    const flags = ["config", ...Object.values(serverTable(KNOWN_PLUGINS)).map(({ flag }) => flag)];
    const grouped = SERVER_GROUPS.flatMap((group) => group.flags);
    expect(grouped.toSorted()).toEqual(flags.filter((flag) => grouped.includes(flag)).toSorted());
    expect(flags.filter((flag) => !grouped.includes(flag))).toEqual([]);
  });

  test("of the worker name only settings that exist, each once", () => {
    const flags = ["config", ...Object.values(workerTable("host")).map(({ flag }) => flag)];
    const grouped = WORKER_GROUPS.flatMap((group) => group.flags);
    expect(grouped.filter((flag) => !flags.includes(flag))).toEqual([]);
    expect(new Set(grouped).size).toBe(grouped.length);
  });

  test("of the worker name only kinds that exist", () => {
    const named = new Set(WORKER_GROUPS.flatMap(({ kinds = [] }) => kinds));
    expect([...named].toSorted()).toEqual([...KIND_NAMES].toSorted());
  });

  test("list what belongs to no group at the end", () => {
    const { server, name } = workerTable("host");
    const text = { name: "p", version: "1", about: "a.", usage: "p", groups: [{ title: "First", flags: ["name"] }] };
    const help = helpText(text, { server, name });
    expect(flagsIn(help).slice(0, 2)).toEqual(["name", "server"]);
    expect(help).toContain("First:\n");
    expect(help).toContain("Other settings:\n");
  });
});

describe("--help of the server", () => {
  const help = (env: Record<string, string>): string => {
    const loaded = loadConfig({ ...none, env, argv: ["--help"], knownPlugins: KNOWN_PLUGINS });
    return loaded.kind === "print" ? loaded.text : "";
  };

  test("begins with an example in the form in which the program was started", () => {
    const text = help({ npm_package_name: "moorage", npm_lifecycle_event: "moorage" });
    expect(text).toContain("\nExamples:\n  API_KEY=… CLIENT_KEY=… bun run moorage serve --port 8080\n");
    expect(help({})).toContain("Usage: moorage serve [flags]\n");
  });
});

describe("--help of the worker", () => {
  const help = (...argv: string[]): string => {
    const loaded = loadWorkerSettings({ ...none, argv, knownKinds: KIND_NAMES, hostname: "host" });
    return loaded.kind === "print" ? loaded.text : "";
  };
  const all = ["config", ...Object.values(workerTable("host")).map(({ flag }) => flag)];
  const requests = ["help", "version", "print-config"];

  test("without a kind lists every setting", () => {
    expect(flagsIn(help("--help")).toSorted()).toEqual([...all, ...requests].toSorted());
  });

  test.each([
    ["llm", ["backend", "embedding-batch-size"], ["asr-backend", "stdio", "auth-token", "one-url"]],
    ["asr", ["backend", "asr-backend"], ["embedding-batch-size", "stdio", "auth-token"]],
    ["mcp", ["stdio", "auth-token", "one-url"], ["backend", "asr-backend", "embedding-batch-size"]],
  ])("with the kind %s lists what concerns it, and says where the rest is", (kind, shown, hidden) => {
    const text = help(kind, "--help");
    const flags = flagsIn(text);
    expect(flags).toEqual(expect.arrayContaining([...shown, "server", "join", "log-level"]));
    expect(flags.filter((flag) => hidden.includes(flag))).toEqual([]);
    expect(text).toContain(`Usage: moorage worker ${kind} [flags]\n`);
    expect(text).toContain(`Example:\n  moorage worker ${kind} --server `);
    expect(text).toEndWith("'moorage worker --help' lists the settings of all kinds.");
  });

  test("with several kinds lists what concerns any of them", () => {
    const flags = flagsIn(help("llm", "mcp", "--help"));
    expect(flags).toEqual(expect.arrayContaining(["embedding-batch-size", "stdio"]));
    expect(flags).not.toContain("asr-backend");
  });

  test("has an example for each kind that exists", () => {
    const { examples = [] } = workerText("1", KIND_NAMES);
    expect(examples).toHaveLength(KIND_NAMES.length);
  });
});
