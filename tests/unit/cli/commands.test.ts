import { describe, expect, test } from "bun:test";
import { type Commands, parseCommand } from "../../../src/cli/commands.ts";

const ignore = (): void => {};
const COMMANDS: Commands = {
  serve: { summary: "Runs the server.", run: ignore },
  worker: { summary: "Runs a worker.", run: ignore },
};
const parse = (...argv: string[]) => parseCommand(argv, COMMANDS, "1.2.3");

describe("the words after moorage", () => {
  test("start the named program with everything that follows it", () => {
    expect(parse("worker", "llm", "--help")).toEqual({
      kind: "run",
      command: COMMANDS["worker"]!,
      argv: ["llm", "--help"],
    });
  });

  test("print the version", () => {
    expect(parse("--version")).toEqual({ kind: "print", text: "1.2.3" });
  });

  test.each(["help", "--help", "-h"])("list every command after %s", (word) => {
    const request = parse(word);
    const text = request.kind === "print" ? request.text : "";
    expect(text).toContain("  serve   Runs the server.\n  worker  Runs a worker.\n");
  });

  test("ask the named program for its help", () => {
    expect(parse("help", "serve")).toEqual({ kind: "run", command: COMMANDS["serve"]!, argv: ["--help"] });
  });

  test("list the commands where none is given, as a fault", () => {
    expect(parse()).toMatchObject({ kind: "fault", text: expect.stringContaining("  worker  Runs a worker.") });
  });

  test("suggest the command that a mistyped one most likely means", () => {
    for (const request of [parse("wroker"), parse("help", "wroker")])
      expect(request).toMatchObject({ kind: "fault", text: expect.stringContaining("Did you mean worker?") });
  });

  test.each(["constructor", "toString", "sk-secret-key"])("do not run or repeat the unknown word %s", (word) => {
    const request = parse(word);
    expect(request.kind).toBe("fault");
    expect(JSON.stringify(request)).not.toContain(word);
  });
});
