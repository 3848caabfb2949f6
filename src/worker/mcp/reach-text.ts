/** Facts for the operator of a relay that has just been registered. */
export interface Reach {
  readonly name: string;
  /** The MCP server, described for people. */
  readonly what: string;
  readonly url: string;
  readonly access: "none" | "token" | "oauth" | "connector";
}

/** Describes where clients reach the MCP server, with a command for one of them. The token itself is never printed. */
export function reachText({ name, what, url, access }: Reach): string {
  const header = access === "token" ? ' --header "Authorization: Bearer $AUTH_TOKEN"' : "";
  return [
    `MCP clients reach ${what} at`,
    `  ${url}`,
    "For example, with Claude Code:",
    `  claude mcp add --transport http ${toWord(name)} ${url}${header}`,
    ...(NOTES[access] ?? []),
  ].join("\n");
}

const NOTES: Readonly<Partial<Record<Reach["access"], readonly string[]>>> = {
  token: ["AUTH_TOKEN stands for the relay's token, or for that of one of its callers."],
  none: [
    "Anybody who knows this URL may call; with --auth-token the relay requires a token, and with --access connector a sign-in.",
  ],
  connector: [
    "Callers sign in at the Moorage server (with Claude Code: claude mcp login, then the name above), or send one of its keys for",
    "clients, such as one of API_KEY, as a bearer token.",
  ],
};

/** Returns the name in a form that needs no quotes in a shell and that clients accept. */
function toWord(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "") || "moorage";
}
