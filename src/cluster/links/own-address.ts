import type { networkInterfaces } from "node:os";

/** Where this server accepts links, and the address that it announces to its peers. */
export interface OwnAddress {
  /** The host to listen on. */
  readonly host: string;
  /** Returns the address to announce, as `host:port`, once the port is known. */
  told(port: number): string;
}

export interface AddressSources {
  /** `CLUSTER_LISTEN`. */
  readonly listener: { readonly host: string | undefined };
  /** `CLUSTER_ADDRESS`. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** The private address of this machine; undefined if it has none. */
  readonly privateAddress: string | undefined;
}

const LOOPBACK = "127.0.0.1";

/**
 * Chooses the addresses for links. Without a host in `CLUSTER_LISTEN` it is the private address of the machine and never a
 * public one, because links belong on a network between servers.
 */
export function ownAddress({ listener, address, privateAddress = LOOPBACK }: AddressSources): OwnAddress {
  const host = listener.host ?? privateAddress;
  const isEverywhere = host === "0.0.0.0" || host === "::";
  return {
    host,
    told: (port) => (address ? toText(address.host, address.port) : toText(isEverywhere ? privateAddress : host, port)),
  };
}

/** Returns `FLY_PRIVATE_IP`, else the first private address of the machine; undefined if there is none. */
export function findPrivateAddress(
  env: Readonly<Record<string, string | undefined>>,
  interfaces: ReturnType<typeof networkInterfaces>,
): string | undefined {
  const fly = env["FLY_PRIVATE_IP"];
  if (fly) return fly;
  for (const addresses of Object.values(interfaces))
    for (const { address, internal } of addresses ?? []) if (!internal && isPrivate(address)) return address;
  return undefined;
}

/** Whether an address is for private networks: RFC 1918, RFC 4193, and RFC 6598, which virtual private networks use. */
function isPrivate(address: string): boolean {
  if (/^f[cd][0-9a-f]{2}:/i.test(address)) return true;
  const [first, second = 0] = address.split(".").map(Number);
  if (first === 10) return true;
  if (first === 172) return second >= 16 && second < 32;
  if (first === 192) return second === 168;
  return first === 100 && second >= 64 && second < 128;
}

function toText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
