import { BlockList, isIP } from "node:net";

/** Looks up the address at the other end of the connection; called only where the answer matters, for it costs. */
export type AddressSource = () => string | undefined;

/** Whom this server believes about where a request comes from. */
export interface Proxies {
  isTrusted(peer: string | undefined): boolean;
  /** The client's own address: what a trusted proxy says it is, else the peer's. */
  clientAddress(headers: Headers, peer: string | undefined): string | undefined;
}

/** `ranges` are IP addresses and CIDR ranges, valid ones: the configuration has checked them. */
export function createProxies(ranges: readonly string[]): Proxies {
  const trusted = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    const family = isIP(network) === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) trusted.addAddress(network, family);
    else trusted.addSubnet(network, Number(prefix), family);
  }
  const isTrusted = (peer: string | undefined): boolean => {
    const address = peer === undefined ? undefined : plainAddress(peer);
    return address !== undefined && trusted.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
  };
  return {
    isTrusted,
    clientAddress(headers, peer) {
      if (!isTrusted(peer)) return peer;
      // Fly's proxy sets this one itself and adds its own address to X-Forwarded-For. Any other proxy in front must drop it.
      const fly = plainAddress(headers.get("fly-client-ip") ?? "");
      if (fly !== undefined) return fly;
      // Each proxy adds to the right, so what stands left of the first stranger may be that stranger's invention.
      for (const hop of (headers.get("x-forwarded-for") ?? "").split(",").reverse()) {
        const address = plainAddress(hop.trim());
        if (address === undefined) return peer;
        if (!isTrusted(address)) return address;
      }
      return peer;
    },
  };
}

/** What failures are counted under: an IPv4 address, or the /64 that one IPv6 client commonly has all of. */
export function addressBucket(address: string | undefined): string {
  const plain = address === undefined ? undefined : plainAddress(address);
  if (plain === undefined) return "unknown";
  return isIP(plain) === 4 ? plain : ipv6Groups(plain).slice(0, 4).join(":");
}

/** An address in one spelling: no port, no zone, IPv4 out of its IPv6 mapping. Undefined for anything else. */
export function plainAddress(text: string): string | undefined {
  const bare = text.match(/^\[(.+)\](?::\d+)?$/)?.[1] ?? text.match(/^(\d+\.\d+\.\d+\.\d+):\d+$/)?.[1] ?? text;
  const address = bare.split("%")[0] ?? "";
  const family = isIP(address);
  if (family === 0) return undefined;
  if (family === 4) return address;
  const groups = ipv6Groups(address);
  const isMapped = groups.slice(0, 5).every((group) => group === "0") && groups[5] === "ffff";
  if (!isMapped) return address.toLowerCase();
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight groups of a valid IPv6 address, without leading zeros. */
function ipv6Groups(address: string): readonly string[] {
  // The URL parser turns every spelling, a dotted tail included, into the one of RFC 5952.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  return [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
}
