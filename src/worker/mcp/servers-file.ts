import * as v from "valibot";
import { isRecord } from "../../json/parse.ts";
import { nearest } from "../../settings/nearest.ts";
import { ID_FORM, isId, MAX_TEXT_CHARS } from "../../wire/names.ts";
import { parseBackendUrl } from "../server-url.ts";
import { Expansion } from "./expansion.ts";
import type { Access, FileSources, McpServer, McpServersReading, McpSource } from "./mcp-server.ts";
import { secretVariables } from "./secret-variables.ts";

// A file with several MCP servers, in the format of MCP clients: a client's own file can be used unchanged.

/** The most servers in one file; more relays need more workers. */
const MAX_SERVERS = 100;

const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(4096));
const plain = v.union([v.string(), v.number(), v.boolean()]);

const entrySchema = v.object({
  type: v.optional(v.picklist(["stdio", "http", "streamable-http", "streamableHttp", "sse"])),
  command: v.optional(text),
  args: v.optional(v.array(plain)),
  env: v.optional(v.record(v.string(), plain)),
  cwd: v.optional(text),
  url: v.optional(text),
  id: v.optional(v.pipe(v.string(), v.check(isId))),
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TEXT_CHARS))),
  auth_token: v.optional(text),
  auth_token_env: v.optional(text),
  oauth: v.optional(v.boolean()),
  shared: v.optional(v.boolean()),
  disabled: v.optional(v.boolean()),
});

type Entry = v.InferOutput<typeof entrySchema>;

/** Keys of other programs, which are ignored. */
const IGNORED: ReadonlySet<string> = new Set(["timeout", "autoApprove", "alwaysAllow", "description", "icon", "tools"]);

const TAKES: Readonly<Record<string, string>> = {
  type: "it takes stdio, http or sse",
  args: "it takes a list of strings",
  env: "it takes a map of names to strings",
  id: `it takes ${ID_FORM}`,
  oauth: "it takes true or false",
  shared: "it takes true or false",
  disabled: "it takes true or false",
};

/** Reads the servers, or lists everything that is wrong by server and key. No value of the file is repeated. */
export function readServersFile(path: string, { env, readFile }: FileSources): McpServersReading {
  const fault = (why: string): McpServersReading => ({ servers: [], faults: [`servers: file ${path} ${why}`] });
  let written: string;
  try {
    written = readFile(path);
  } catch (error) {
    return fault(
      `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown reason"})`,
    );
  }
  let document: unknown;
  try {
    // JSON is a subset of YAML.
    document = Bun.YAML.parse(written);
  } catch {
    return fault("is neither YAML nor JSON");
  }
  const entries = entriesOf(document);
  if (!entries) return fault("has no map `mcpServers` with a server under each name");
  if (entries.length > MAX_SERVERS)
    return fault(`names ${entries.length} servers; at most ${MAX_SERVERS} go in one worker`);
  const withheld = secretVariables(entries);
  const readings = entries.map(([name, entry]) => readEntry(name, entry, { env, withheld }));
  const servers = readings.flatMap(({ server }) => (server ? [server] : []));
  const faults = readings.flatMap((reading) => reading.faults);
  if (faults.length === 0 && servers.length === 0) return fault("has no server that is enabled");
  return { servers, faults: [...faults, ...doubledIds(servers)].map((each) => `servers: ${each}`) };
}

/** Returns the entries. Most clients call the map `mcpServers`, some `servers`. */
function entriesOf(document: unknown): readonly [string, unknown][] | undefined {
  if (!isRecord(document)) return undefined;
  const servers = document["mcpServers"] ?? document["servers"];
  return isRecord(servers) ? Object.entries(servers) : undefined;
}

/** What an entry is read with. */
interface EntrySources {
  readonly env: FileSources["env"];
  /** The names of the variables that hold secrets. */
  readonly withheld: readonly string[];
}

interface EntryReading {
  readonly server?: McpServer;
  readonly faults: readonly string[];
}

function readEntry(name: string, written: unknown, { env, withheld }: EntrySources): EntryReading {
  const result = v.safeParse(entrySchema, written);
  if (!result.success) {
    const faults = result.issues.map((issue) => {
      const key = issue.path?.[0]?.key;
      return key === undefined
        ? `${name} is not a map`
        : `${name}.${String(key)} is not usable; ${TAKES[String(key)] ?? "it takes a text"}`;
    });
    return { faults: [...new Set(faults)] };
  }
  if (result.output.disabled) return { faults: [] };
  const expansion = new Expansion(env);
  const entry = expanded(result.output, expansion);
  const unknown = Object.keys(written as object) // The schema has checked that it is a map.
    .filter((key) => !(key in entrySchema.entries) && !IGNORED.has(key))
    .map((key) => unknownKey(name, key));
  const source = sourceOf(entry, withheld);
  const access = accessOf(entry, env);
  const faults = [
    ...unknown,
    ...expansion.faults.map((each) => `${name}: ${each}`),
    ...[source, access].flatMap((each) => (typeof each === "string" ? [`${name}: ${each}`] : [])),
  ];
  if (faults.length > 0 || typeof source === "string" || typeof access === "string") return { faults };
  return { server: { name: entry.name ?? name, id: entry.id, source, access }, faults };
}

function unknownKey(name: string, key: string): string {
  if (key === "headers") return `${name}.headers is not supported: a relay sends the headers of its callers`;
  const near = nearest(key, Object.keys(entrySchema.entries));
  return `${name}.${key} is not known${near ? `; did you mean ${near}?` : ""}`;
}

/** Expands environment variables in an entry, but not in a shell command, where the shell does it. */
function expanded(entry: Entry, expansion: Expansion): Entry {
  const fill = <T>(value: T): T | string => (typeof value === "string" ? expansion.fill(value) : value);
  const env = Object.entries(entry.env ?? {}).map(([name, value]) => [name, fill(value)]);
  return {
    ...entry,
    command: entry.args === undefined ? entry.command : fill(entry.command),
    args: entry.args?.map(fill),
    env: Object.fromEntries(env),
    cwd: fill(entry.cwd),
    url: fill(entry.url),
    auth_token: fill(entry.auth_token),
  };
}

/** Returns the server's source, or what is wrong. */
function sourceOf(
  { type, command, args, env, cwd, shared, url }: Entry,
  withheld: readonly string[],
): McpSource | string {
  if ((command === undefined) === (url === undefined)) return "it takes either a command or a url";
  if (command !== undefined) {
    if (type !== undefined && type !== "stdio") return "a command is of the type stdio";
    return {
      kind: "command",
      command,
      args: args?.map(String),
      env: toTexts(env ?? {}),
      withheld,
      directory: cwd,
      isShared: shared === true,
    };
  }
  if (shared) return "only a server with a command can be shared";
  if (type === "stdio") return "a url is of the type http or sse";
  const parsed = parseBackendUrl(url ?? "");
  if (parsed === undefined) return "the url must be http or https, without user name, password and query";
  const transport = type === undefined ? "auto" : type === "sse" ? "sse" : "http";
  return { kind: "url", url: parsed, transport, headers: [] };
}

/** Returns who may call, or what is wrong. */
function accessOf({ auth_token, auth_token_env, oauth, url }: Entry, env: FileSources["env"]): Access | string {
  if ([auth_token, auth_token_env, oauth || undefined].filter((each) => each !== undefined).length > 1) {
    return "auth_token, auth_token_env and oauth exclude each other";
  }
  if (oauth) return url === undefined ? "only a server with a url can use oauth" : { kind: "oauth" };
  if (auth_token_env !== undefined) {
    const token = env[auth_token_env];
    // Ignoring the missing variable would open the relay to everybody.
    return token ? { kind: "token", token } : `auth_token_env names the variable ${auth_token_env}, which is not set`;
  }
  return auth_token === undefined ? { kind: "none" } : { kind: "token", token: auth_token };
}

function doubledIds(servers: readonly McpServer[]): readonly string[] {
  const seen = new Set<string>();
  return servers.flatMap(({ name, id }) => {
    if (id === undefined) return [];
    if (seen.has(id)) return [`${name}.id is also the id of another server in the file`];
    seen.add(id);
    return [];
  });
}

function toTexts(map: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
}
