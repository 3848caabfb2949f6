import { metadataUrl } from "../../wire/mcp-metadata.ts";

/** A quoted string of its own, which may hold anything, or the parameter with its value in either form (RFC 9110 §11.2). */
const PARTS = /"(?:[^"\\]|\\.)*"|(?<![\w-])resource_metadata[\t ]*=[\t ]*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)/gi;

/**
 * A `WWW-Authenticate` as the client of a public URL must read it: the MCP server names its metadata at an address that is
 * out of the client's reach. Everything else in it is the MCP server's word.
 */
export function toPublicChallenge(challenge: string, resource: string): string {
  const url = metadataUrl(resource);
  if (url === undefined) return challenge;
  return challenge.replace(PARTS, (part) => (part.startsWith('"') ? part : `resource_metadata="${url}"`));
}
