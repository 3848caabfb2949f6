import { expect, test } from "bun:test";
import { isMatch } from "../../../../../src/system/globs.ts";
import { readCursor, toCursor } from "../../../../../src/worker/mcp/hub/cursor.ts";
import { globOfTemplate, markedUri, readMarkedUri } from "../../../../../src/worker/mcp/hub/uris.ts";

test("a marked URI is still one, and can be read", () => {
  const marked = markedUri("notes", "file:///a?b=c:d");
  expect(new URL(marked).protocol).toBe("moorage:");
  expect(readMarkedUri(marked)).toEqual({ prefix: "notes", uri: "file:///a?b=c:d" });
  for (const other of ["file:///a", "moorage:notes", "moorage"]) expect(readMarkedUri(other)).toBeUndefined();
});

test("a template matches what may have been made of it", () => {
  const matches = (template: string, uri: string): boolean => isMatch(globOfTemplate(template), uri);
  expect(matches("notes://{path}", "notes://a/b")).toBe(true);
  expect(matches("notes://{a}/x/{b}", "notes://1/x/2")).toBe(true);
  expect(matches("notes://{a}/x/{b}", "notes://1/y/2")).toBe(false);
  expect(matches("notes://all", "notes://all")).toBe(true);
  expect(matches("notes://{broken", "notes://{broken")).toBe(true);
});

test("a cursor carries those of the servers that have more, and nothing else is read as one", () => {
  const next = new Map([
    ["files", "2"],
    ["notes", "a b"],
  ]);
  expect(readCursor(toCursor(next))).toEqual(next);
  expect(toCursor(new Map())).toBeUndefined();
  for (const wrong of [undefined, 7, "", "!", btoa("[]"), btoa("{}"), btoa('{"files":7}'), "x".repeat(100_000)]) {
    expect(readCursor(wrong)).toBeUndefined();
  }
});
