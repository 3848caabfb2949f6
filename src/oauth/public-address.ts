import { BlockList, isIPv4, isIPv6 } from "node:net";

/** Ranges of IPv4 that are not on the public internet (RFC 6890 and the registry of IANA). */
const PRIVATE_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
/** The only range of IPv6 that is routed publicly, and the ranges in it that are not, or that lead to an IPv4 address. */
const GLOBAL_V6 = "2000::/3";
const PRIVATE_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const privateV4 = listOf(PRIVATE_V4, "ipv4");
const globalV6 = listOf([GLOBAL_V6], "ipv6");
const privateV6 = listOf(PRIVATE_V6, "ipv6");

/** Returns whether an IP address is one of the public internet, and of no private network, machine or test. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !privateV4.check(address, "ipv4");
  return isIPv6(address) && globalV6.check(address, "ipv6") && !privateV6.check(address, "ipv6");
}

function listOf(ranges: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", bits = ""] = range.split("/");
    list.addSubnet(network, Number(bits), family);
  }
  return list;
}
