import { describe, expect, test } from "bun:test";
import { toBackendUrl } from "../../../src/worker/backend-url.ts";

const BASE = "http://127.0.0.1:11434/v1";

test("a path and its query are appended to the base unchanged", () => {
  expect(toBackendUrl(BASE, "/chat/completions?a=b%20c&d=../x")).toBe(`${BASE}/chat/completions?a=b%20c&d=../x`);
  expect(toBackendUrl(BASE, "/models/org%2Fmodel:8b")).toBe(`${BASE}/models/org%2Fmodel:8b`);
  expect(toBackendUrl(BASE, "/a..b/...c/x.y")).toBe(`${BASE}/a..b/...c/x.y`);
  expect(toBackendUrl("https://host", "/chat")).toBe("https://host/chat");
});

describe("nothing outside the base is reached by", () => {
  test.each([
    "",
    "chat/completions",
    "//evil.example/x",
    "/\\evil.example",
    "/%2fevil.example",
    "/%5cevil.example",
    "/..",
    "/../admin",
    "/a/../../admin",
    "/a/..",
    "/./x",
    "/%2e%2e/admin",
    "/.%2E/admin",
    "/a/%2e%2e%2f%2e%2e%2fadmin",
    "/%252e%252e/admin",
    "/%25252e%25252e%25252fadmin",
    "/..;x=1/admin",
    "/a\\..\\..\\admin",
    "/a%5c..%5c..%5cadmin",
    "http://evil.example/",
    "@evil.example/",
    ":80@evil.example/",
    "/x#y",
    "/x y",
    "/x\r\nHost: evil",
    "/x%0d%0aHost:%20evil",
    "/x%00",
    "/%ff",
    "/100%",
    "/grün",
  ])("%j", (path) => {
    expect(toBackendUrl(BASE, path)).toBeUndefined();
  });
});

test("every URL that results from any path lies under the base", () => {
  const parts = ["/", "..", ".", "%2e", "%2f", "%5c", "%25", ";", "a", "?", "@", ":", "\\", "#", "//"];
  let seed = 7;
  let accepted = 0;
  for (let round = 0; round < 20_000; round += 1) {
    let path = "/";
    for (let index = 0; index < 6; index += 1) {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      path += parts[seed % parts.length];
    }
    const url = toBackendUrl(BASE, path);
    if (url === undefined) continue;
    accepted += 1;
    const decoded = decodeURIComponent(new URL(url).pathname);
    expect(url.startsWith(`${BASE}/`)).toBe(true);
    expect(`/${decoded}/`).not.toMatch(/[/\\]\.\.?[/\\;]/);
  }
  expect(accepted).toBeGreaterThan(100);
});
