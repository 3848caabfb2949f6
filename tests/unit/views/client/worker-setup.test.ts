import { describe, expect, test } from "bun:test";
import {
  argsOf,
  firstSetup,
  PROGRAMS,
  problemOf,
  programFor,
  programOf,
  systemOf,
} from "../../../../views/client/worker-setup.ts";

describe("what a worker is started with", () => {
  test("is the address of a model server", () => {
    expect(argsOf(firstSetup("vllm", true))).toEqual(["--backend", "http://127.0.0.1:8000/v1"]);
  });

  test("is the command or the URL of an MCP server, its id, and who may call it", () => {
    const setup = firstSetup("mcp", true);
    expect(argsOf({ ...setup, command: " npx -y some-server " })).toEqual([
      "--id",
      "tools",
      "--stdio",
      "npx -y some-server",
      "--access",
      "connector",
    ]);
    expect(argsOf({ ...firstSetup("mcp", false), reach: "url", url: "http://127.0.0.1:3000/mcp" })).toEqual([
      "--id",
      "tools",
      "--url",
      "http://127.0.0.1:3000/mcp",
      "--access",
      "none",
    ]);
  });

  test("fits each program as it is offered", () => {
    for (const { id } of PROGRAMS) expect([id, problemOf(firstSetup(id, true))]).toEqual([id, ""]);
  });

  test.each([
    ["ollama", { address: "127.0.0.1:11434" }, "address"],
    ["ollama", { address: "ftp://host/v1" }, "address"],
    ["mcp", { id: "a b" }, "id"],
    ["mcp", { id: ".." }, "id"],
    ["mcp", { command: " " }, "command"],
    ["mcp", { reach: "url", url: "localhost:3000" }, "URL"],
  ] as const)("of %s is refused with %p", (program, change, word) => {
    expect(problemOf({ ...firstSetup(program, true), ...change })).toContain(word);
  });
});

test("a kind of work leads to a program that does it, and an unknown program to the first one", () => {
  expect(programFor("asr")?.id).toBe("speaches");
  expect(programFor("nothing")).toBeUndefined();
  expect(programOf("nothing").id).toBe("ollama");
});

test.each([
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "windows"],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "macos"],
  ["Mozilla/5.0 (X11; Linux x86_64)", "linux"],
  ["Mozilla/5.0 (Linux; Android 16)", "linux"],
] as const)("%s is %s", (userAgent, system) => {
  expect(systemOf(userAgent)).toBe(system);
});
