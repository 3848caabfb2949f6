import { isRecord } from "../../../json/parse.ts";
import { mayProtect } from "../client-fields.ts";
import { fromCodex } from "./codex.ts";
import { fromContinue } from "./continue.ts";
import { type NamedEntries, UnusableEntry, type WrittenEntry, withArgs, withSwitch } from "./entry-form.ts";
import { fromGemini, isGemini, withoutExcluded } from "./gemini.ts";
import { fromGoose } from "./goose.ts";
import { fromOpencode } from "./opencode.ts";
import { parseDocument } from "./parse-document.ts";
import { fromZed } from "./zed.ts";

/** The MCP servers of a file, whichever program it was written for. */
export interface ServersDocument {
  /** The servers, with entries in the form of `mcpServers`, or an `UnusableEntry`. */
  readonly entries: NamedEntries;
  /** What the file says about one URL for all servers, as written; undefined for nothing. */
  readonly oneUrl: unknown;
}

type ReadEntry = (entry: WrittenEntry) => WrittenEntry | UnusableEntry | undefined;

/** Where programs have their servers, each with the reader of an entry, in the order in which they are looked for. */
const PLACES: readonly (readonly [path: readonly string[], read: ReadEntry])[] = [
  [["mcpServers"], fromMap],
  [["servers"], fromMap],
  [["mcp", "servers"], fromOpencode],
  [["mcp_servers"], fromCodex],
  [["context_servers"], fromZed],
  [["amp.mcpServers"], fromMap],
  [["extensions"], fromGoose],
  [["mcp"], fromOpencode],
];

/** Returns the servers of a file, or what is wrong with the file, to follow its name. */
export function readServersDocument(written: string): ServersDocument | string {
  const document = parseDocument(written);
  if (document === undefined) return "is neither YAML nor JSON nor TOML";
  if (!isRecord(document)) return NO_SERVERS;
  // It says who may call, so it counts whatever program the rest of the file is for.
  const { one_url: oneUrl, ...others } = document;
  for (const [path, read] of PLACES) {
    const found = path.reduce<unknown>((from, name) => (isRecord(from) ? from[name] : undefined), document);
    if (Array.isArray(found) && path.length === 1) return { entries: listEntries(found), oneUrl };
    if (!isRecord(found)) continue;
    const entries = mapEntries(found, path[0] === "mcpServers" && isGemini(found) ? fromGeminiMap : read);
    return { entries: withoutExcluded(entries, document["mcp"]), oneUrl };
  }
  return isBareMap(others) ? { entries: mapEntries(others, fromMap), oneUrl } : NO_SERVERS;
}

const NO_SERVERS = "has no map `mcpServers` with a server under each name";

function fromMap(entry: WrittenEntry): WrittenEntry {
  return withSwitch(withArgs(entry));
}

function fromGeminiMap(entry: WrittenEntry): WrittenEntry {
  return fromMap(fromGemini(entry));
}

function mapEntries(map: Readonly<Record<string, unknown>>, read: ReadEntry): NamedEntries {
  return Object.entries(map).flatMap(([name, entry]) => {
    const own = isRecord(entry) ? read(withoutNulls(entry)) : entry;
    return own === undefined ? [] : [[name, own] as const];
  });
}

/**
 * Programs that write their file themselves write null for a field without a value. In YAML a null is also what is left of a token
 * that somebody has forgotten, so it stays in fields that may protect the relay, which then cannot be used.
 */
function withoutNulls(entry: WrittenEntry): WrittenEntry {
  return Object.fromEntries(Object.entries(entry).filter(([name, value]) => value !== null || mayProtect(name)));
}

/** Reads a list of servers with names of their own, as Continue has it. */
function listEntries(list: readonly unknown[]): NamedEntries {
  const seen = new Set<string>();
  return list.map((item, at) => {
    const name = isRecord(item) && typeof item["name"] === "string" && item["name"] !== "" ? item["name"] : undefined;
    const place = name ?? `server ${at + 1}`;
    if (!isRecord(item)) return [place, item];
    if (name === undefined && item["uses"] === undefined) return [place, new UnusableEntry("it has no name")];
    if (seen.has(place)) return [place, new UnusableEntry("another server of the list has the same name")];
    seen.add(place);
    return [place, fromContinue(withoutNulls(item))];
  });
}

/** Whether a file has its servers without a map around them, as the plugins of Claude Code may. */
function isBareMap(document: Readonly<Record<string, unknown>>): boolean {
  const entries = Object.values(document);
  return entries.length > 0 && entries.every((entry) => isRecord(entry) && START.some((name) => name in entry));
}

/** The fields that say where a server is. */
const START = ["command", "url", "httpUrl", "serverUrl"];
