import { expect, test } from "bun:test";
import { findPrivateAddress, ownAddress } from "../../../../src/cluster/links/own-address.ts";

const at = (address: string, internal = false) => ({
  address,
  internal,
  netmask: "",
  mac: "",
  cidr: null,
  ...(address.includes(":") ? { family: "IPv6" as const, scopeid: 0 } : { family: "IPv4" as const }),
});

test.each([
  ["10.1.2.3", true],
  ["172.16.0.1", true],
  ["172.31.255.255", true],
  ["192.168.1.1", true],
  ["100.64.0.1", true],
  ["fdaa:0:1::3", true],
  ["172.15.0.1", false],
  ["172.32.0.1", false],
  ["100.63.0.1", false],
  ["192.169.0.1", false],
  ["8.8.8.8", false],
  ["2001:db8::1", false],
  ["fe80::1", false],
])("%s is a private address: %p", (address, isPrivate) => {
  expect(findPrivateAddress({}, { eth0: [at(address)] })).toBe(isPrivate ? address : undefined);
});

test("FLY_PRIVATE_IP comes before the addresses of the machine, and loopback is none of them", () => {
  const interfaces = { lo: [at("10.0.0.1", true)], eth0: [at("203.0.113.5"), at("10.0.0.2")], eth1: [at("10.0.0.3")] };
  expect(findPrivateAddress({ FLY_PRIVATE_IP: "fdaa::3" }, interfaces)).toBe("fdaa::3");
  expect(findPrivateAddress({}, interfaces)).toBe("10.0.0.2");
});

test.each([
  ["a bare port", { listener: { host: undefined }, address: undefined }, "10.0.0.2", "10.0.0.2:7"],
  ["a host", { listener: { host: "10.9.9.9" }, address: undefined }, "10.9.9.9", "10.9.9.9:7"],
  ["every interface", { listener: { host: "0.0.0.0" }, address: undefined }, "0.0.0.0", "10.0.0.2:7"],
  [
    "another address for peers",
    { listener: { host: "::" }, address: { host: "fd00::7", port: 9 } },
    "::",
    "[fd00::7]:9",
  ],
])("with %s as the listener, that is where links are taken and what is told", (_what, sources, host, told) => {
  const own = ownAddress({ ...sources, privateAddress: "10.0.0.2" });
  expect([own.host, own.told(7)]).toEqual([host, told]);
});

test("a machine without a private address accepts links from itself only", () => {
  const own = ownAddress({ listener: { host: undefined }, address: undefined, privateAddress: undefined });
  expect([own.host, own.told(7)]).toEqual(["127.0.0.1", "127.0.0.1:7"]);
});
