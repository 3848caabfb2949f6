import { describe, expect, test } from "bun:test";
import { placeFor, readHash, toHash } from "../../../../views/client/place.ts";

const SECTIONS = ["overview", "workers", "models", "transfers"];
const OLD = new Map([
  ["llm", "workers?plugin=llm"],
  ["transfer", "transfers"],
]);

describe("the hash of the page's address", () => {
  test.each([
    ["#overview", { section: "overview", id: "", query: {} }],
    ["#workers/gpu-1", { section: "workers", id: "gpu-1", query: {} }],
    ["#models/llama3.3%3A70b%2Fq4", { section: "models", id: "llama3.3:70b/q4", query: {} }],
    ["#jobs?show=failed&q=a+b", { section: "jobs", id: "", query: { show: "failed", q: "a b" } }],
  ])("%s names a place, and the place has that hash", (hash, place) => {
    expect(readHash(hash)).toEqual(place);
    expect(toHash(place)).toBe(hash);
  });

  test("keeps any id and any value", () => {
    for (const text of ["a/b", "100 %", "?x=1&y#z", "ü ☂", `"><script>`, "+"]) {
      const place = { section: "models", id: text, query: { q: text } };
      expect(readHash(toHash(place))).toEqual(place);
    }
  });

  test("may be broken or empty", () => {
    expect(readHash("")).toEqual({ section: "", id: "", query: {} });
    expect(readHash("#workers/%E0%A4%A")).toEqual({ section: "workers", id: "%E0%A4%A", query: {} });
    expect(readHash("#workers?q=&plugin=llm")).toEqual({ section: "workers", id: "", query: { plugin: "llm" } });
  });

  test("of a worker whose plugin has a section leads to that section", () => {
    const sections = [...SECTIONS, "mcp"];
    expect(placeFor("#workers/files?plugin=mcp", sections, OLD)).toEqual({ section: "mcp", id: "files", query: {} });
    expect(placeFor("#workers/gpu?plugin=llm", sections, OLD).section).toBe("workers");
    expect(placeFor("#workers?plugin=mcp", sections, OLD).section).toBe("workers");
  });

  test("of an earlier version leads to the successor of its section, and an unknown one to the first section", () => {
    expect(placeFor("#llm", SECTIONS, OLD)).toEqual({ section: "workers", id: "", query: { plugin: "llm" } });
    expect(placeFor("#transfer", SECTIONS, OLD)).toEqual({ section: "transfers", id: "", query: {} });
    expect(placeFor("#constructor", SECTIONS, OLD)).toEqual({ section: "overview", id: "", query: {} });
    expect(placeFor("#models/x?part=errors", SECTIONS, OLD)).toEqual({
      section: "models",
      id: "x",
      query: { part: "errors" },
    });
  });
});
