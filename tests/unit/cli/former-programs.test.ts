import { describe, expect, test } from "bun:test";
import type { Commands } from "../../../src/cli/commands.ts";
import { currentWords } from "../../../src/cli/former-programs.ts";

const OPERATOR: Commands = { keys: { summary: "Makes keys.", run: () => {} } };

describe("a program under a former name", () => {
  test.each([
    ["/usr/local/bin/moorage-server", [], ["serve"]],
    ["moorage-server", ["--port", "1"], ["serve", "--port", "1"]],
    ["moorage-server", ["keys", "list"], ["keys", "list"]],
    ["./moorage-server-linux-x64", ["--version"], ["serve", "--version"]],
    ["/usr/local/bin/moorage-worker", ["llm"], ["worker", "llm"]],
    ["C:\\moorage\\moorage-worker-windows-x64.exe", ["doctor"], ["worker", "doctor"]],
    ["bun", ["src/main.ts"], ["serve"]],
    ["bun", ["src/main.ts", "keys", "list"], ["keys", "list"]],
    ["bun", ["src/worker/main.ts", "llm"], ["worker", "llm"]],
    ["bun", ["src/doctor/main.ts", "--json"], ["doctor", "--json"]],
  ])("%s %j means moorage %j", (program, argv, words) => {
    expect(currentWords(program, argv, OPERATOR)).toEqual(words);
  });

  test.each(["moorage", "/usr/bin/moorage", "moorage-linux-x64", "bun", "moorage-serverless"])(
    "is none where it is %s",
    (program) => {
      expect(currentWords(program, ["worker", "llm"], OPERATOR)).toEqual(["worker", "llm"]);
    },
  );
});
