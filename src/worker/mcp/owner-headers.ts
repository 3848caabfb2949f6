import { type HeaderPairs, isHeaderPairs } from "../../wire/heads.ts";
import { HOP_BY_HOP } from "../../wire/hop-by-hop.ts";
import type { Expansion } from "./expansion.ts";

/** Headers that belong to one connection, to the body or to the MCP transport. A fixed value would break calls. */
const OF_THE_TRANSPORT: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "accept",
  "accept-encoding",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
]);

export interface OwnerHeaders {
  readonly pairs: HeaderPairs;
  /** What is wrong, by header. No value is repeated. */
  readonly faults: readonly string[];
}

/** Reads the headers that a relay's owner gives for the MCP server. The variables in their values are expanded. */
export function readOwnerHeaders(
  given: readonly (readonly [string, string])[],
  expansion: Expansion,
  isOauth: boolean,
): OwnerHeaders {
  const pairs: [string, string][] = [];
  const faults: string[] = [];
  for (const [written, value] of given) {
    const name = written.toLowerCase();
    const pair: [string, string] = [name, expansion.fill(value).trim()];
    if (!isHeaderPairs([pair])) faults.push("a header must be a name, and a value without line breaks");
    else if (OF_THE_TRANSPORT.has(name)) faults.push(`the header ${name} is up to the MCP transport`);
    else if (isOauth && name === "authorization")
      faults.push("with oauth, callers send their own Authorization, so the relay cannot set it");
    else pairs.push(pair);
  }
  return { pairs, faults };
}
