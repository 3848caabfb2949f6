import { describe, expect, test } from "bun:test";
import { parseDemoArgs } from "../../../src/demo/args.ts";

const parse = (...argv: string[]) => parseDemoArgs(argv, "1.2.3", "npx -y moorage");

describe("the demo's command line", () => {
  test("starts one server without an argument", () => {
    expect(parse()).toEqual({ kind: "run", keysFile: undefined });
    expect(parse("--servers", "1")).toEqual({ kind: "run", keysFile: undefined });
  });

  test.each([[["--servers", "3"]], [["--servers=3"]]])("starts a cluster for %j", (argv) => {
    expect(parse(...argv)).toEqual({ kind: "run cluster", servers: 3 });
  });

  test.each([[["--servers"]], [["--servers", "0"]], [["--servers", "10"]], [["--servers", "many"]], [["--servers="]]])(
    "refuses the number in %j",
    (argv) => {
      expect(parse(...argv)).toMatchObject({ kind: "fault", text: expect.stringContaining("from 1 to 9") });
    },
  );

  test.each([[["a-secret-key"]], [["--servers", "3", "more"]], [["--port", "1"]]])(
    "refuses %j without repeating it",
    (argv) => {
      const request = parse(...argv);
      expect(request.kind).toBe("fault");
      expect(JSON.stringify(request)).not.toContain("secret");
    },
  );

  test("keeps its keys in a file that is named", () => {
    expect(parse("--keys", "demo.env")).toEqual({ kind: "run", keysFile: "demo.env" });
    expect(parse("--keys=demo.env")).toEqual({ kind: "run", keysFile: "demo.env" });
  });

  test("starts the samples alone", () => {
    expect(parse("--sample-only")).toEqual({ kind: "run samples" });
  });

  test.each([
    [["--keys"]],
    [["--keys="]],
    [["--keys", "--sample-only"]],
    [["--sample-only", "--servers", "3"]],
    [["--keys", "a", "--servers", "3"]],
  ])("refuses %j", (argv) => {
    expect(parse(...argv).kind).toBe("fault");
  });

  test("prints its help and its version", () => {
    expect(parse("--servers", "3", "--help")).toMatchObject({
      kind: "print",
      text: expect.stringContaining("--servers"),
    });
    expect(parse("--version")).toEqual({ kind: "print", text: "1.2.3" });
  });

  test("names itself in the form in which it was started", () => {
    const usage = "Usage: npx -y moorage demo [";
    expect(parse("--help")).toMatchObject({ kind: "print", text: expect.stringContaining(usage) });
    const hint = "Run 'npx -y moorage demo --help'";
    expect(parse("--keys")).toMatchObject({ kind: "fault", text: expect.stringContaining(hint) });
  });
});
