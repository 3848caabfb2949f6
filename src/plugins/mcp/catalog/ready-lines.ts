// What people put into their MCP client to use a relay. None of it has a token: it stands in a variable of the environment, or
// the client asks for it.

/** What is known of a relay for its lines. */
export interface LineFacts {
  readonly id: string;
  /** The URL by which the reader knows the relay. */
  readonly url: string;
  /** `none`, `token`, `oauth` or `connector`; anything else counts as `token`, because a token may be needed. */
  readonly access: string | undefined;
}

/** How to use a relay in one client. */
export interface ReadyLine {
  readonly client: ReadyClient;
  /** The client's name for people. */
  readonly title: string;
  /** Where the text belongs: a shell, a file, or the place in the client where it is typed in. */
  readonly place: string;
  /** The text to copy; null where the client cannot use the relay. */
  readonly text: string | null;
  /** What else to do, or why the client cannot use the relay. */
  readonly note: string | null;
}

export const READY_CLIENTS = [
  "claude-code",
  "claude-web",
  "chatgpt",
  "cursor",
  "vscode",
  "windsurf",
  "gemini",
] as const;

export type ReadyClient = (typeof READY_CLIENTS)[number];

/** Returns the lines for all clients. */
export function readyLines(facts: LineFacts): readonly ReadyLine[] {
  const relay = toRelay(facts);
  return [claudeCode, claudeWeb, chatGpt, cursor, vsCode, windsurf, gemini].map((line) => line(relay));
}

interface LineRelay {
  /** The name of the server in the client: letters, digits, `-` and `_`, as all clients take it. */
  readonly name: string;
  readonly url: string;
  /** How callers prove who they are. */
  readonly proof: "none" | "token" | "sign-in";
  /** The variable that holds the token. */
  readonly variable: string;
}

function toRelay({ id, url, access }: LineFacts): LineRelay {
  // A dash at its beginning would make it an option of the command.
  const name =
    id
      .replace(/[^A-Za-z0-9_-]+/g, "-")
      .replace(/^-+/, "")
      .slice(0, 48) || "relay";
  const proof = access === "none" ? "none" : access === "oauth" || access === "connector" ? "sign-in" : "token";
  const variable = `${name
    .replace(/-/g, "_")
    .replace(/^(?=[0-9])/, "_")
    .toUpperCase()}_TOKEN`;
  return { name, url, proof, variable };
}

function claudeCode({ name, url, proof, variable }: LineRelay): ReadyLine {
  const header = proof === "token" ? ` --header 'Authorization: Bearer $\{${variable}}'` : "";
  return {
    client: "claude-code",
    title: "Claude Code",
    place: "Shell",
    text: `claude mcp add --transport http ${name} ${quoted(url)}${header}`,
    note: noteFor(proof, variable, "Then enter /mcp in Claude Code and sign in."),
  };
}

function claudeWeb({ url, proof }: LineRelay): ReadyLine {
  return {
    client: "claude-web",
    title: "Claude (web and desktop)",
    place: "Settings, Connectors, Add custom connector",
    ...hosted(url, proof, "Then choose Connect and sign in."),
  };
}

function chatGpt({ url, proof }: LineRelay): ReadyLine {
  return {
    client: "chatgpt",
    title: "ChatGPT",
    place: "Settings, Apps & Connectors, with developer mode in the advanced settings, Create",
    ...hosted(url, proof, "Choose OAuth as its authentication and sign in."),
  };
}

/** A hosted assistant has no field for a token. */
function hosted(url: string, proof: LineRelay["proof"], how: string): Pick<ReadyLine, "text" | "note"> {
  if (proof === "token")
    return { text: null, note: "Hosted assistants cannot send a token. Start the relay with --access connector." };
  return { text: url, note: proof === "sign-in" ? how : "Choose no authentication." };
}

function cursor({ name, url, proof, variable }: LineRelay): ReadyLine {
  const headers = proof === "token" ? { headers: { Authorization: `Bearer $\{env:${variable}}` } } : {};
  return {
    client: "cursor",
    title: "Cursor",
    place: "~/.cursor/mcp.json",
    text: json({ mcpServers: { [name]: { url, ...headers } } }),
    note: noteFor(proof, variable, "Cursor then asks you to sign in."),
  };
}

function vsCode({ name, url, proof }: LineRelay): ReadyLine {
  const input = `${name}-token`;
  const inputs = [{ type: "promptString", id: input, description: `Token of ${name}`, password: true }];
  const server = { type: "http", url };
  const headers = { Authorization: `Bearer $\{input:${input}}` };
  const isToken = proof === "token";
  return {
    client: "vscode",
    title: "VS Code",
    place: ".vscode/mcp.json",
    text: json(isToken ? { inputs, servers: { [name]: { ...server, headers } } } : { servers: { [name]: server } }),
    note: isToken ? "VS Code asks for the token once." : noteFor(proof, "", "VS Code then asks you to sign in."),
  };
}

function windsurf({ name, url, proof, variable }: LineRelay): ReadyLine {
  const headers = proof === "token" ? { headers: { Authorization: `Bearer $\{env:${variable}}` } } : {};
  return {
    client: "windsurf",
    title: "Windsurf",
    place: "~/.codeium/windsurf/mcp_config.json",
    text: json({ mcpServers: { [name]: { serverUrl: url, ...headers } } }),
    note: noteFor(proof, variable, "Windsurf then asks you to sign in."),
  };
}

function gemini({ name, url, proof, variable }: LineRelay): ReadyLine {
  const header = proof === "token" ? ` --header 'Authorization: Bearer $\{${variable}}'` : "";
  return {
    client: "gemini",
    title: "Gemini CLI",
    place: "Shell",
    text: `gemini mcp add --scope user --transport http ${name} ${quoted(url)}${header}`,
    note: noteFor(proof, variable, `Then enter /mcp auth ${name} in Gemini CLI and sign in.`),
  };
}

function noteFor(proof: LineRelay["proof"], variable: string, signIn: string): string | null {
  if (proof === "none") return null;
  return proof === "sign-in"
    ? signIn
    : `Put the token of the relay, or your own as one of its callers, into the variable ${variable}.`;
}

/** Quotes a URL for the shells of Unix, unless it has only characters that mean nothing there. */
function quoted(url: string): string {
  return /^[A-Za-z0-9:/._@-]+$/.test(url) ? url : `'${url.replaceAll("'", "'\\''")}'`;
}

function json(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
