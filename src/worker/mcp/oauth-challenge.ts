import { metadataUrl } from "../../wire/mcp-metadata.ts";

/** A quoted string, which may contain anything, or the parameter with a quoted or plain value (RFC 9110 §11.2). */
const PARTS = /"(?:[^"\\]|\\.)*"|(?<![\w-])resource_metadata[\t ]*=[\t ]*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)/gi;

/**
 * Rewrites a `WWW-Authenticate` header for clients of the public URL: the MCP server names its metadata at an address that
 * they cannot reach. All other parameters stay as the MCP server wrote them.
 */
export function toPublicChallenge(challenge: string, resource: string): string {
  const url = metadataUrl(resource);
  if (url === undefined) return challenge;
  return challenge.replace(PARTS, (part) => (part.startsWith('"') ? part : `resource_metadata="${url}"`));
}

/** Returns the place of the metadata that a `WWW-Authenticate` header names; undefined if it names none. */
export function metadataIn(challenge: string): string | undefined {
  const named = challenge.match(PARTS)?.find((part) => !part.startsWith('"'));
  const value = named?.slice(named.indexOf("=") + 1).trim();
  return value?.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
}
