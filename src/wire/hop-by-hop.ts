import type { HeaderPairs } from "./heads.ts";

/**
 * Headers that belong to one connection and not to the message: those of RFC 9110 §7.6.1, and a few that proxies by custom
 * do not forward. Neither end of the tunnel forwards them, in either direction.
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

/** Returns the lower-case header names that a Connection header declares hop-by-hop in addition. */
export function connectionNames(value: string | null): ReadonlySet<string> | undefined {
  if (value === null || value === "keep-alive" || value === "close") return undefined;
  return new Set(value.split(",").map((name) => name.trim().toLowerCase()));
}

/** Does the same for header pairs, among which Connection may appear several times. */
export function connectionNamesIn(pairs: HeaderPairs): ReadonlySet<string> | undefined {
  let connection: string | undefined;
  for (const [name, value] of pairs)
    if (name.toLowerCase() === "connection") connection = connection === undefined ? value : `${connection},${value}`;
  return connectionNames(connection ?? null);
}
