import { BlockList, isIP } from "node:net";

/** Looks up the address at the other end of the connection. The look-up costs time, so it is made only when needed. */
export type AddressSource = () => string | undefined;

/** The proxies that this server trusts to state a client's address. */
export interface Proxies {
  isTrusted(peer: string | undefined): boolean;
  /** Returns the client's address: the one that a trusted proxy states, else the peer's. */
  clientAddress(headers: Headers, peer: string | undefined): string | undefined;
}

/** Creates the proxies from IP addresses and CIDR ranges. All MUST be valid; the configuration has checked them. */
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
      const flyHeader = headers.get("fly-client-ip");
      const forwardedFor = headers.get("x-forwarded-for");
      // Without a statement it does not matter whether the peer is trusted, which costs far more to find out.
      if ((flyHeader === null && forwardedFor === null) || !isTrusted(peer)) return peer;
      // Fly's proxy sets this header itself and adds its own address to X-Forwarded-For. Any other proxy must drop it.
      const fly = plainAddress(flyHeader ?? "");
      if (fly !== undefined) return fly;
      // Each proxy adds its peer to the right, so an untrusted address may have made up everything to its left.
      for (const hop of (forwardedFor ?? "").split(",").reverse()) {
        const address = plainAddress(hop.trim());
        if (address === undefined) return peer;
        if (!isTrusted(address)) return address;
      }
      return peer;
    },
  };
}

/** Returns the name under which failures are counted: an IPv4 address, or an IPv6 /64, which often belongs to one client. */
export function addressBucket(address: string | undefined): string {
  const plain = address === undefined ? undefined : plainAddress(address);
  if (plain === undefined) return "unknown";
  return isIP(plain) === 4 ? plain : ipv6Groups(plain).slice(0, 4).join(":");
}

/** Normalizes an address: no port, no zone, mapped IPv4 as plain IPv4. Undefined for anything else. */
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

/** Returns the eight groups of a valid IPv6 address, without leading zeros. */
function ipv6Groups(address: string): readonly string[] {
  // The URL parser turns every spelling, including a dotted tail, into that of RFC 5952.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  return [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
}
