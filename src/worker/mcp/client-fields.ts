import { isRecord } from "../../json/parse.ts";
import { nearest } from "../../settings/nearest.ts";
import { MAX_RULE_CHARS, type McpRules, RULE_LISTS } from "../../wire/mcp-call.ts";

// Entries of servers files as MCP clients write them. The names are those of Claude Code, Claude Desktop, Cline, Codex,
// Continue, Copilot, Cursor, Gemini CLI, Goose, Kiro, LibreChat, LM Studio, mcpo, opencode, Roo, VS Code, Windsurf and Zed. Fields that
// have another meaning in one of them are read in `formats`.

/** Other programs' names of fields that a relay has. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  httpUrl: "url",
  serverUrl: "url",
  transportType: "type",
  transport: "type",
};

/** Other programs' names of transports. */
const OTHER_TYPES: Readonly<Record<string, string>> = {
  local: "stdio",
  "streamable-http": "http",
  streamableHttp: "http",
  streamablehttp: "http",
  streamable_http: "http",
};

/** Fields with the names of tools, and whether those are the ones that may be used, or those that may not. */
const TOOL_LISTS: Readonly<Record<string, "only" | "except">> = {
  allowedTools: "only",
  enabledTools: "only",
  includeTools: "only",
  disabledTools: "except",
  excludeTools: "except",
};

/** The most names in such a list, and the most characters of a name. */
const MAX_NAMES = 1000;

/** Fields that tell a client how to treat the server or how to show it. */
const OF_CLIENTS: ReadonlySet<string> = new Set([
  "alwaysAllow",
  "alwaysLoad",
  "authProviderType",
  "autoApprove",
  "bundled",
  "chatMenu",
  "client_header_forwarding",
  "connectionTimeout",
  "description",
  "dev",
  "display_name",
  "gallery",
  "headersHelper",
  "icon",
  "iconPath",
  "initTimeout",
  "isActive",
  "note",
  "registryURI",
  "requiresOAuth",
  "sandbox",
  "sandboxEnabled",
  "serverInstructions",
  "startup",
  "startup_timeout_ms",
  "startup_timeout_sec",
  "targetAudience",
  "targetServiceAccount",
  "timeout",
  "tool_timeout_sec",
  "trust",
  "version",
  "watchPaths",
]);

/**
 * Whether a field is a client's own registration with the server's sign-in. `oauth: true` says that callers sign in
 * themselves, and Cursor's `auth` has these fields alone; with others it may be meant to protect the relay.
 */
function isRegistration(name: string, value: unknown): boolean {
  if (!isRecord(value)) return false;
  return name === "oauth" || (name === "auth" && Object.keys(value).every((each) => CURSOR_AUTH.has(each)));
}

const CURSOR_AUTH: ReadonlySet<string> = new Set(["CLIENT_ID", "CLIENT_SECRET", "scopes"]);

/** A field whose name speaks of access may be meant to protect the relay, so it is never ignored. */
const OF_ACCESS = /auth|token|access|allow|secret|passw|key|caller|user/i;
/** Whether a field may be meant to protect the relay: one without a usable value is a fault then. */
export function mayProtect(name: string): boolean {
  return OF_ACCESS.test(name) || RULE_LISTS.some((list) => list === name);
}

/** A client's entry in the words of a relay. */
export interface OwnFields {
  /** The fields that a relay has, by their names here. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The names of the fields that mean nothing to a relay. */
  readonly ignored: readonly string[];
  /** What the fields that select tools say. */
  readonly rules: readonly McpRules[];
  /** What is wrong with the others, by their names. */
  readonly faults: readonly string[];
}

/** Sorts the fields of an entry; `known` are the names of those that a relay has. */
export function toOwnFields(entry: Readonly<Record<string, unknown>>, known: readonly string[]): OwnFields {
  const fields: Record<string, unknown> = {};
  const ignored: string[] = [];
  const rules: McpRules[] = [];
  const faults: string[] = [];
  for (const [name, value] of Object.entries(entry)) {
    const own = OTHER_NAMES[name] ?? name;
    if (isRegistration(name, value)) ignored.push(name);
    else if (known.includes(own)) {
      if (own !== name && own in entry) faults.push(`${name} means the same as ${own}; give only one of them`);
      else fields[own] = own === "type" && typeof value === "string" ? (OTHER_TYPES[value] ?? value) : value;
    } else if (Object.hasOwn(TOOL_LISTS, name)) {
      const rule = toRules(value, TOOL_LISTS[name] === "except");
      if (rule === undefined) faults.push(`${name} is not usable; it takes a list of the names of tools`);
      else rules.push(rule);
    } else if (OF_CLIENTS.has(name)) ignored.push(name);
    else {
      const near = name === "auth" ? undefined : nearest(name, known);
      if (near !== undefined) faults.push(`${name} is not known; did you mean ${near}?`);
      else if (OF_ACCESS.test(name)) faults.push(`${name} is not known, and a relay ignores no field about access`);
      else ignored.push(name);
    }
  }
  return { fields, ignored, rules, faults };
}

/** Reads a list of tools in the way of clients; undefined for anything else. An empty list of exclusions excludes nothing. */
function toRules(value: unknown, isExcluding: boolean): McpRules | undefined {
  if (!Array.isArray(value) || value.length > MAX_NAMES) return undefined;
  if (!value.every((each) => typeof each === "string" && each !== "" && each.length <= MAX_RULE_CHARS))
    return undefined;
  // In a rule the mark would turn the list around.
  if (value.some((name: string) => name.startsWith("!"))) return undefined;
  // Gemini CLI writes what a tool may be called with behind its name.
  const names = value.map((name: string) => name.replace(/\(.*$/s, ""));
  if (!isExcluding) return { tools: names };
  return names.length === 0 ? {} : { tools: names.map((name) => `!${name}`) };
}
