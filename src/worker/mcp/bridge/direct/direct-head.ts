import { isJsonContentType, SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";
import type { RequestHead } from "../../../../wire/heads.ts";
import { isStateless } from "../era.ts";

/** The headers that are looked at. Others of the transport mean that there is more to look at. */
const LOOKED_AT: ReadonlySet<string> = new Set(["accept", "content-type", "mcp-protocol-version", "mcp-session-id"]);

/**
 * Returns the session of a call whose head passes every check. Undefined for any other, which has to be checked:
 * one that lacks a header, or has one twice, or accepts less than everything.
 */
export function sessionIn({ method, headers }: RequestHead): string | undefined {
  if (method !== "POST") return undefined;
  const found = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!LOOKED_AT.has(lower)) {
      if (lower.startsWith("mcp-")) return undefined;
    } else if (found.has(lower)) return undefined;
    else found.set(lower, value);
  }
  const version = found.get("mcp-protocol-version");
  if (version !== undefined && (!SUPPORTED_PROTOCOL_VERSIONS.includes(version) || isStateless(version)))
    return undefined;
  if (!acceptsBoth(found.get("accept")) || !isJsonContentType(found.get("content-type") ?? null)) return undefined;
  return found.get("mcp-session-id");
}

/** Whether a header names both forms of answers, and says nothing more about them. */
function acceptsBoth(accept: string | undefined): boolean {
  // The official SDKs write it so.
  if (accept === "application/json, text/event-stream") return true;
  const ranges = accept?.split(",").map((range) => range.trim().toLowerCase()) ?? [];
  return ranges.includes("application/json") && ranges.includes("text/event-stream");
}
