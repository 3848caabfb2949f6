import { parseEnv } from "node:util";
import * as v from "valibot";
import { isRecord } from "../../json/parse.ts";
import type { HeaderPairs } from "../../wire/heads.ts";
import { ID_FORM, isId, MAX_TEXT_CHARS } from "../../wire/names.ts";
import { parseBackendUrl } from "../server-url.ts";
import { isOauth, readAccess, readRules } from "./access-fields.ts";
import { CALLERS_TAKE, callersSchema, PATTERNS_TAKE, patternsSchema } from "./callers-field.ts";
import { toOwnFields } from "./client-fields.ts";
import { Expansion } from "./expansion.ts";
import { UnusableEntry } from "./formats/entry-form.ts";
import { readServersDocument } from "./formats/servers-document.ts";
import type { FileSources, McpServer, McpServersReading, McpSource } from "./mcp-server.ts";
import { type OneUrlGiven, type OneUrlReading, readOneUrl, withHub } from "./one-url.ts";
import { readOwnerHeaders } from "./owner-headers.ts";
import { secretVariables } from "./secret-variables.ts";

// A file with several MCP servers, in the format of MCP clients: a client's own file can be used unchanged.

/** The most servers in one file; more relays need more workers. */
const MAX_SERVERS = 100;

const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(4096));
const plain = v.union([v.string(), v.number(), v.boolean()]);

const entrySchema = v.object({
  type: v.optional(v.picklist(["stdio", "http", "sse"])),
  command: v.optional(text),
  args: v.optional(v.array(plain)),
  env: v.optional(v.record(v.string(), plain)),
  envFile: v.optional(text),
  cwd: v.optional(text),
  url: v.optional(text),
  headers: v.optional(v.record(v.string(), plain)),
  id: v.optional(v.pipe(v.string(), v.check(isId))),
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TEXT_CHARS))),
  auth_token: v.optional(text),
  auth_token_env: v.optional(text),
  oauth: v.optional(v.boolean()),
  access: v.optional(v.picklist(["none", "token", "oauth", "connector"])),
  callers: v.optional(callersSchema),
  tools: v.optional(patternsSchema),
  prompts: v.optional(patternsSchema),
  resources: v.optional(patternsSchema),
  audit_arguments: v.optional(v.boolean()),
  shared: v.optional(v.union([v.boolean(), v.literal("serial")])),
  disabled: v.optional(v.boolean()),
});

type Entry = v.InferOutput<typeof entrySchema>;

/** The names of the fields that a relay has. */
const KNOWN = Object.keys(entrySchema.entries);

const TAKES: Readonly<Record<string, string>> = {
  type: "it takes stdio, http or sse",
  args: "it takes a list of strings",
  env: "it takes a map of names to strings",
  headers: "it takes a map of names to strings",
  id: `it takes ${ID_FORM}`,
  oauth: "it takes true or false",
  access: "it takes none, token, oauth or connector",
  callers: CALLERS_TAKE,
  tools: PATTERNS_TAKE,
  prompts: PATTERNS_TAKE,
  resources: PATTERNS_TAKE,
  audit_arguments: "it takes true or false",
  shared: "it takes true, false or serial",
  disabled: "it takes true or false",
};

/**
 * Reads the servers, or lists everything that is wrong by server and key. No value of the file is repeated. `oneUrl` is the
 * one URL for all of them that the settings name, if they do.
 */
export function readServersFile(path: string, sources: FileSources, oneUrl?: OneUrlGiven): McpServersReading {
  const fault = (why: string): McpServersReading => ({ servers: [], faults: [`servers: file ${path} ${why}`] });
  let written: string;
  try {
    written = sources.readFile(path);
  } catch (error) {
    return fault(
      `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown reason"})`,
    );
  }
  const document = readServersDocument(written);
  if (typeof document === "string") return fault(document);
  const { entries, oneUrl: ofHub } = document;
  if (entries.length > MAX_SERVERS)
    return fault(`names ${entries.length} servers; at most ${MAX_SERVERS} go in one worker`);
  const withheld = secretVariables([...entries, ["one_url", ofHub]]);
  const readings = entries.map(([name, entry]) => readEntry(name, entry, { ...sources, withheld }));
  const servers = readings.flatMap(({ server }) => (server ? [server] : []));
  const faults = readings.flatMap((reading) => reading.faults);
  if (faults.length === 0 && servers.length === 0) return fault("has no server that is enabled");
  const { hub, faults: ofUrl } = faults.length > 0 ? { faults: [] } : oneUrlOf(ofHub, oneUrl, servers, sources);
  const relays = hub ? [...(isOnlyHub(hub) ? [] : servers), hub] : servers;
  return { servers: relays, faults: [...faults, ...ofUrl, ...doubledIds(relays)].map((each) => `servers: ${each}`) };
}

/** Returns the relay for all servers, if the file or the settings want one. */
function oneUrlOf(
  written: unknown,
  given: OneUrlGiven | undefined,
  servers: readonly McpServer[],
  { env }: FileSources,
): OneUrlReading {
  if (written === undefined || written === null) return given ? withHub(given, servers) : { faults: [] };
  if (given) return { faults: ["one_url is in the file and in the settings; give only one of them"] };
  return readOneUrl(written, servers, (fields) => {
    const result = v.safeParse(entrySchema, fields);
    if (!result.success) return unusable(result.issues)[0] ?? "it is not usable";
    const expansion = new Expansion(env);
    const entry = expanded(result.output, expansion);
    const access = readAccess(entry, expansion, env);
    const rules = readRules(entry, []);
    if (typeof access === "string") return access;
    if (typeof rules === "string") return rules;
    if (access.kind === "oauth") return "it cannot use oauth";
    return expansion.faults[0] ?? { access, rules, auditArguments: entry.audit_arguments ?? false };
  });
}

function isOnlyHub({ source }: McpServer): boolean {
  return source.kind === "hub" && source.isOnly;
}

/** What an entry is read with. */
interface EntrySources extends FileSources {
  /** The names of the variables that hold secrets. */
  readonly withheld: readonly string[];
}

interface EntryReading {
  readonly server?: McpServer;
  readonly faults: readonly string[];
}

function readEntry(name: string, written: unknown, sources: EntrySources): EntryReading {
  if (written instanceof UnusableEntry) return { faults: [`${name}: ${written.why}`] };
  if (!isRecord(written)) return { faults: [`${name} is not a map`] };
  const { fields, ignored, rules: ofClients, faults: unknown } = toOwnFields(written, KNOWN);
  const result = v.safeParse(entrySchema, fields);
  if (!result.success) {
    return { faults: unusable(result.issues).map((each) => `${name}.${each}`) };
  }
  if (result.output.disabled) return { faults: [] };
  const expansion = new Expansion(sources.env);
  const entry = expanded(result.output, expansion);
  const variables = readEnvFile(entry.envFile, sources.readFile);
  const headers = readOwnerHeaders(Object.entries(toTexts(entry.headers ?? {})), expansion, isOauth(entry));
  const source = sourceOf(entry, {
    withheld: sources.withheld,
    variables: typeof variables === "string" ? {} : variables,
    headers: headers.pairs,
  });
  const access = readAccess(entry, expansion, sources.env);
  const rules = readRules(entry, ofClients);
  const faults = [
    ...unknown.map((each) => `${name}.${each}`),
    ...[...expansion.faults, ...headers.faults].map((each) => `${name}: ${each}`),
    ...[variables, source, access, rules].flatMap((each) => (typeof each === "string" ? [`${name}: ${each}`] : [])),
  ];
  if (faults.length > 0 || typeof source === "string" || typeof access === "string" || typeof rules === "string")
    return { faults };
  return {
    server: {
      name: entry.name ?? name,
      ...(entry.name === undefined ? {} : { key: name }),
      id: entry.id,
      source,
      access,
      ...(rules.length > 0 ? { rules } : {}),
      ...(entry.audit_arguments ? { auditArguments: true } : {}),
      ...(ignored.length > 0 ? { unused: { ignored } } : {}),
    },
    faults,
  };
}

/** Says which fields are not usable. */
function unusable(issues: readonly v.BaseIssue<unknown>[]): readonly string[] {
  const faults = issues.map(({ path }) => {
    const [key = "", ...inner] = (path ?? []).map((step) => String(step.key));
    // Within a list or a map of texts, the place would be a number or a part of a value.
    const place = key === "callers" ? [key, ...inner.slice(0, 2)].join(".") : key;
    return `${place} is not usable; ${TAKES[key] ?? "it takes a text"}`;
  });
  return [...new Set(faults)];
}

/** Reads the variables for a program from a file, or returns what is wrong. */
function readEnvFile(path: string | undefined, readFile: FileSources["readFile"]): Record<string, string> | string {
  if (path === undefined) return {};
  try {
    return toTexts(parseEnv(readFile(path)));
  } catch {
    return "the envFile cannot be read";
  }
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
    envFile: fill(entry.envFile),
    cwd: fill(entry.cwd),
    url: fill(entry.url),
    auth_token: fill(entry.auth_token),
  };
}

/** The parts of a source that are read apart from its entry. */
interface SourceParts {
  readonly withheld: readonly string[];
  /** The variables of its file. */
  readonly variables: Readonly<Record<string, string>>;
  readonly headers: HeaderPairs;
}

/** Returns the server's source, or what is wrong. */
function sourceOf(
  { type, command, args, env, cwd, shared, url, envFile }: Entry,
  { withheld, variables, headers }: SourceParts,
): McpSource | string {
  if ((command === undefined) === (url === undefined)) return "it takes either a command or a url";
  if (command !== undefined) {
    if (type !== undefined && type !== "stdio") return "a command is of the type stdio";
    if (headers.length > 0) return "only a server with a url gets headers; give a program its key in env";
    return {
      kind: "command",
      command,
      args: args?.map(String),
      env: { ...variables, ...toTexts(env ?? {}) },
      withheld,
      directory: cwd,
      sharing: shared === "serial" ? "serial" : shared ? "parallel" : "none",
    };
  }
  if (shared) return "only a server with a command can be shared";
  if (type === "stdio") return "a url is of the type http or sse";
  if (envFile !== undefined) return "only a program gets an envFile; give a server with a url its key in headers";
  const parsed = parseBackendUrl(url ?? "");
  if (parsed === undefined) return "the url must be http or https, without user name, password and query";
  const transport = type === undefined ? "auto" : type === "sse" ? "sse" : "http";
  return { kind: "url", url: parsed, transport, headers };
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

function toTexts(map: Readonly<Record<string, string | number | boolean | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
}
