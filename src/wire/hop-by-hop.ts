import type { HeaderPairs } from "./frame.ts";

/**
 * Headers of one connection, not of the message (RFC 9110 §7.6.1, and those that proxies have always kept to
 * themselves): neither end of the tunnel passes them on, in either direction.
 */
export const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];

/** Lower-case header names that a Connection header declares hop-by-hop besides. */
export function connectionNames(value: string | null): ReadonlySet<string> | undefined {
  if (value === null || value === "keep-alive" || value === "close") return undefined;
  return new Set(value.split(",").map((name) => name.trim().toLowerCase()));
}

/** The same of pairs, in which that header may stand several times. */
export function connectionNamesIn(pairs: HeaderPairs): ReadonlySet<string> | undefined {
  let connection: string | undefined;
  for (const [name, value] of pairs)
    if (name.toLowerCase() === "connection") connection = connection === undefined ? value : `${connection},${value}`;
  return connectionNames(connection ?? null);
}
