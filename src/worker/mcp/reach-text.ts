/** What a relay's owner wants to know once it is there. */
export interface Reach {
  readonly name: string;
  /** The MCP server, for people. */
  readonly what: string;
  readonly url: string;
  readonly access: "none" | "token" | "oauth";
}

/** Where clients reach the MCP server, with a line for one of them. The token itself is never printed. */
export function reachText({ name, what, url, access }: Reach): string {
  const header = access === "token" ? ' --header "Authorization: Bearer $AUTH_TOKEN"' : "";
  const openness =
    access === "none" ? ["Whoever knows that URL may call; with --auth-token the relay asks for a token."] : [];
  return [
    `MCP clients reach ${what} at`,
    `  ${url}`,
    "with Claude Code, for instance:",
    `  claude mcp add --transport http ${toWord(name)} ${url}${header}`,
    ...openness,
  ].join("\n");
}

/** A name that needs no quotes in a shell and that clients take. */
function toWord(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "") || "moorage";
}
