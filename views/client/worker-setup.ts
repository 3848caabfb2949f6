// What an operator can put behind a worker, and the arguments of the worker for it. All functions are pure.

/** A kind of work, by the id of its plugin. */
export type WorkKind = "llm" | "asr" | "mcp";

/** A program that a worker can serve. */
export interface Program {
  readonly id: string;
  readonly label: string;
  /** What it is for, in one or two words. */
  readonly work: string;
  readonly kind: WorkKind;
  /** Where it listens unless told otherwise; empty for MCP servers. */
  readonly address: string;
}

const LOCAL = "http://127.0.0.1";

/** The programs, in the order in which they are offered. The addresses are the worker's own defaults. */
export const PROGRAMS: readonly Program[] = [
  { id: "ollama", label: "Ollama", work: "models", kind: "llm", address: `${LOCAL}:11434/v1` },
  { id: "llama.cpp", label: "llama.cpp", work: "models", kind: "llm", address: `${LOCAL}:8080/v1` },
  { id: "vllm", label: "vLLM", work: "models", kind: "llm", address: `${LOCAL}:8000/v1` },
  { id: "lm-studio", label: "LM Studio", work: "models", kind: "llm", address: `${LOCAL}:1234/v1` },
  { id: "speaches", label: "speaches", work: "speech", kind: "asr", address: `${LOCAL}:8000/v1` },
  { id: "whisper.cpp", label: "whisper.cpp", work: "speech", kind: "asr", address: `${LOCAL}:8080` },
  { id: "other", label: "Other", work: "OpenAI's API", kind: "llm", address: `${LOCAL}:5000/v1` },
  { id: "mcp", label: "MCP server", work: "tools", kind: "mcp", address: "" },
];

/** The fields of the page, as they are typed. */
export interface Setup {
  program: string;
  address: string;
  /** For MCP servers: `command`, or `url`. */
  reach: "command" | "url";
  command: string;
  url: string;
  /** The relay's id, which is part of its URL. */
  id: string;
  /** Who may call the relay: `connector`, or `none` for everybody who knows its URL. */
  access: "connector" | "none";
}

/** An MCP server that anybody can start, so that the line works before it is changed. */
const SAMPLE_COMMAND = "npx -y @modelcontextprotocol/server-everything";

/** `hasKeys`: whether callers have keys with which they could sign in. */
export function firstSetup(program: string, hasKeys: boolean): Setup {
  return {
    program,
    address: programOf(program).address,
    reach: "command",
    command: SAMPLE_COMMAND,
    url: `${LOCAL}:3000/mcp`,
    id: "tools",
    access: hasKeys ? "connector" : "none",
  };
}

/** Returns a program by its id, and the first one for an unknown id. */
export function programOf(id: string): Program {
  return PROGRAMS.find((each) => each.id === id) ?? (PROGRAMS[0] as Program); // the table is not empty
}

/** Returns the first program that does a kind of work: `llm`, `asr` or `mcp`. */
export function programFor(kind: string): Program | undefined {
  return PROGRAMS.find((each) => each.kind === kind);
}

/** Returns the worker's arguments behind its kind, without those that lead to the server. */
export function argsOf(setup: Setup): readonly string[] {
  const { kind } = programOf(setup.program);
  if (kind !== "mcp") return ["--backend", setup.address.trim()];
  const reach = setup.reach === "command" ? ["--stdio", setup.command.trim()] : ["--url", setup.url.trim()];
  return ["--id", setup.id.trim(), ...reach, "--access", setup.access];
}

const ID = /^[\w.:@-]{1,128}$/;

/** Says what is wrong with the fields; empty if the worker would take them. */
export function problemOf(setup: Setup): string {
  const { kind } = programOf(setup.program);
  if (kind !== "mcp") return isUrl(setup.address) ? "" : "The address begins with http:// or https://.";
  if (!ID.test(setup.id.trim()) || /^\.\.?$/.test(setup.id.trim())) return "The id takes letters, digits and . _ : @ -";
  if (setup.reach === "url") return isUrl(setup.url) ? "" : "The URL begins with http:// or https://.";
  if (setup.command.trim() === "") return "Enter the command that starts the MCP server.";
  return /[\r\n]/.test(setup.command.trim()) ? "The command takes one line." : "";
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text.trim()) && URL.canParse(text.trim());
}

export type System = "linux" | "macos" | "windows";

/** Guesses the viewer's system by what the browser says of itself. */
export function systemOf(userAgent: string): System {
  if (/windows/i.test(userAgent)) return "windows";
  return /mac os|macintosh|iphone|ipad/i.test(userAgent) ? "macos" : "linux";
}
