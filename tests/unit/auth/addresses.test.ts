import { describe, expect, test } from "bun:test";
import { addressBucket, createProxies, plainAddress } from "../../../src/auth/addresses.ts";

const proxies = createProxies(["127.0.0.0/8", "10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"]);

describe("trusted proxies", () => {
  test.each(["127.0.0.1", "10.1.2.3", "192.0.2.7", "fd12::1", "::1", "::ffff:10.0.0.1", "::ffff:a00:1"])(
    "%s is within the ranges",
    (address) => expect(proxies.isTrusted(address)).toBe(true),
  );
  test.each(["11.0.0.1", "192.0.2.8", "2001:db8::1", "::ffff:11.0.0.1", "nonsense", ""])("%s is not", (address) =>
    expect(proxies.isTrusted(address)).toBe(false),
  );
  test("a request without an address is not trusted", () => expect(proxies.isTrusted(undefined)).toBe(false));
});

describe("the client's address", () => {
  const of = (headers: Record<string, string>, peer: string): string | undefined =>
    proxies.clientAddress(new Headers(headers), peer);

  test("is the peer's, whatever an untrusted peer claims", () => {
    expect(of({ "x-forwarded-for": "1.2.3.4", "fly-client-ip": "1.2.3.4" }, "203.0.113.9")).toBe("203.0.113.9");
  });
  test("is the right-most one that is not a trusted proxy", () => {
    expect(of({ "x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.5" }, "10.0.0.1")).toBe("203.0.113.9");
  });
  test("is the one that Fly's proxy reports", () => {
    expect(of({ "fly-client-ip": "203.0.113.9", "x-forwarded-for": "203.0.113.9, 66.241.1.1" }, "10.0.0.1")).toBe(
      "203.0.113.9",
    );
  });
  test("is the peer's if the list holds only invalid entries or proxies", () => {
    expect(of({ "x-forwarded-for": "unknown" }, "10.0.0.1")).toBe("10.0.0.1");
    expect(of({ "x-forwarded-for": "10.0.0.7, 10.0.0.8" }, "10.0.0.1")).toBe("10.0.0.1");
    expect(of({ "fly-client-ip": "<script>" }, "10.0.0.1")).toBe("10.0.0.1");
  });
});

describe("the normal form of an address", () => {
  test.each([
    ["1.2.3.4", "1.2.3.4"],
    ["1.2.3.4:5678", "1.2.3.4"],
    ["[2001:DB8::1]:443", "2001:db8::1"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
    ["fe80::1%eth0", "fe80::1"],
  ])("of %s is %s", (text, plain) => expect(plainAddress(text)).toBe(plain));
  test.each(["", "1.2.3", "example.com", "[::1", "1.2.3.4, 5.6.7.8"])("does not exist for %p", (text) =>
    expect(plainAddress(text)).toBeUndefined(),
  );
});

test("failures of one IPv6 client count together, whichever lower half its address has", () => {
  expect(addressBucket("2001:db8:1:2:aaaa::1")).toBe(addressBucket("2001:db8:1:2::ffff"));
  expect(addressBucket("2001:db8:1:2::1")).not.toBe(addressBucket("2001:db8:1:3::1"));
  expect(addressBucket("::ffff:1.2.3.4")).toBe("1.2.3.4");
  expect(addressBucket(undefined)).toBe("unknown");
});
