import { isJsonContentType, SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";
import type { RequestHead } from "../../../../wire/heads.ts";
import { isStateless } from "../era.ts";

/** What the headers of the transport begin with. */
const PREFIX = "mcp-";

/**
 * Returns the session of a call whose head passes every check. Undefined for any other, which has to be checked: one that lacks a
 * header, or has one twice, or accepts less than everything.
 */
export function sessionIn({ method, headers }: RequestHead): string | undefined {
  if (method !== "POST") return undefined;
  let accept: string | undefined;
  let type: string | undefined;
  let version: string | undefined;
  let session: string | undefined;
  for (const [name, value] of headers) {
    switch (name.toLowerCase()) {
      case "accept":
        if (accept !== undefined) return undefined;
        accept = value;
        break;
      case "content-type":
        if (type !== undefined) return undefined;
        type = value;
        break;
      case "mcp-protocol-version":
        if (version !== undefined) return undefined;
        version = value;
        break;
      case "mcp-session-id":
        if (session !== undefined) return undefined;
        session = value;
        break;
      default:
        // Other headers of the transport mean that there is more to check.
        if (name.slice(0, PREFIX.length).toLowerCase() === PREFIX) return undefined;
    }
  }
  if (version !== undefined && (!SUPPORTED_PROTOCOL_VERSIONS.includes(version) || isStateless(version)))
    return undefined;
  if (accept === undefined || !acceptsBoth(accept) || type === undefined) return undefined;
  return type === "application/json" || isJsonContentType(type) ? session : undefined;
}

/** Whether a header names both forms of answers, and says nothing more about them. */
function acceptsBoth(accept: string): boolean {
  // The official SDKs write it so.
  if (accept === "application/json, text/event-stream") return true;
  const ranges = accept.split(",").map((range) => range.trim().toLowerCase());
  return ranges.includes("application/json") && ranges.includes("text/event-stream");
}
