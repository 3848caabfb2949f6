import { describe, expect, test } from "bun:test";
import { askedPage, pageAfter } from "../../../src/state/return-to.ts";

describe("the page after a sign-in", () => {
  test.each(["/state", "/state?server=a", "/state/", "/state/keys?sort=name&all"])(
    "is the one that was asked for: %s",
    (to) => {
      expect(pageAfter(to)).toBe(to);
      expect(askedPage(new Request(`http://server.test${to}`))).toBe(to);
    },
  );

  test.each([
    null,
    "",
    "https://evil.test/state",
    "//evil.test/state",
    "/\\evil.test",
    "\\/evil.test",
    "/state/../..//evil.test",
    "/state/%2e%2e/api",
    "/state@evil.test",
    "/states",
    "/api/state",
    "/state/oidc/callback?code=x",
    "/state/sign-out",
    "javascript:alert(1)",
    " /state?a",
    `/state?${"x".repeat(600)}`,
  ])("is the dashboard instead of %j", (to) => {
    expect(pageAfter(to)).toBe("/state");
  });

  test("drops what comes after a hash, and line breaks", () => {
    expect(pageAfter("/state?a\r\nset-cookie: b=c#x")).toBe("/state?aset-cookie:%20b=c");
  });
});
