import { describe, expect, test } from "bun:test";
import { exposedName, maybeShortened, prefixesFor, splitName } from "../../../../../src/worker/mcp/hub/names.ts";

describe("prefixes of servers", () => {
  test("are their keys, as far as names of tools may contain them", () => {
    expect(prefixesFor(["files", "my notes", "a__b", "_x_", "Ünï"])).toEqual(["files", "my_notes", "a_b", "x", "n"]);
  });

  test("differ, and depend on no order", () => {
    const keys = ["my notes", "my_notes", "my.notes", "日本", "本日"];
    const prefixes = prefixesFor(keys);
    expect(new Set(prefixes).size).toBe(keys.length);
    expect(prefixes[1]).toBe("my_notes");
    expect(prefixesFor([...keys].reverse())).toEqual([...prefixes].reverse());
  });

  test("never end a name early, and are not empty", () => {
    const keys = ["a_", "__", "-", "", "x".repeat(200), "y__".repeat(20)];
    for (const prefix of prefixesFor(keys)) {
      expect(prefix).toMatch(/^[A-Za-z0-9_-]{1,24}$/);
      expect(splitName(`${prefix}___tool`)).toEqual({ prefix, rest: "_tool" });
    }
    expect(new Set(prefixesFor(keys)).size).toBe(keys.length);
  });
});

describe("names of tools", () => {
  test("have at most 64 characters, and each its own", () => {
    const long = "x".repeat(80);
    const names = [exposedName("files", `${long}a`), exposedName("files", `${long}b`)];
    expect(new Set(names).size).toBe(2);
    for (const name of names) {
      expect(name).toHaveLength(64);
      expect(maybeShortened(name)).toBe(true);
      expect(splitName(name)?.prefix).toBe("files");
    }
    expect(exposedName("files", "read")).toBe("files__read");
  });

  test("without a prefix are nobody's", () => {
    for (const name of ["read", "__read", "", "_"]) expect(splitName(name)).toBeUndefined();
  });
});
