import { expect, test } from "bun:test";
import { flagsText, readOptions } from "../../../src/cli/options.ts";

const FLAGS = {
  models: { value: "globs", help: "Models." },
  parallel: { value: "n", help: "Requests at once." },
  json: { help: "Print JSON." },
} as const;

const read = (...argv: string[]) => {
  const result = readOptions(argv, FLAGS);
  return result.ok ? { words: result.words, values: Object.fromEntries(result.values) } : result.fault;
};

test("words and flags are read in either form, and flags that repeat keep all values", () => {
  expect(read("ci", "--models", "a", "--json", "--models=b,c", "--parallel=4")).toEqual({
    words: ["ci"],
    values: { models: ["a", "b,c"], parallel: ["4"], json: ["true"] },
  });
});

test("a flag without its value swallows no other flag", () => {
  for (const argv of [["--parallel"], ["--parallel", "--json"], ["--parallel="], ["--parallel", " "]])
    expect(read(...argv)).toBe("--parallel needs a value: Requests at once.");
  expect(read("--json=yes")).toBe("--json takes no value.");
});

test("an unknown flag is answered with the one that was probably meant", () => {
  expect(read("--paralel", "4")).toBe("Unknown flag. Did you mean --parallel?");
  expect(read("--something-else")).toBe("Unknown flag --something-else. --help lists the flags.");
});

test("what may be a key is never repeated", () => {
  for (const argument of ["--mk_0123456789ab_SECRET_check0", "--SECRET=SECRET"])
    expect(JSON.stringify(read("ci", argument))).not.toContain("SECRET");
});

test("names of Object's members are no flags", () => {
  for (const name of ["--constructor", "--toString", "--__proto__"]) expect(typeof read(name)).toBe("string");
});

test("the help has a line for each flag", () => {
  expect(flagsText(FLAGS)).toBe(
    "  --models globs  Models.\n  --parallel n    Requests at once.\n  --json          Print JSON.",
  );
});
