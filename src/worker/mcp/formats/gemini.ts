import { isRecord } from "../../../json/parse.ts";
import { type NamedEntries, variable, type WrittenEntry, withTexts } from "./entry-form.ts";

/** Fields that only entries of Gemini CLI have. */
const OF_GEMINI = ["httpUrl", "trust", "includeTools", "excludeTools", "authProviderType"];

/** `$NAME`, which other programs leave as it is. */
const VARIABLE = /\$([A-Za-z_][A-Za-z0-9_]*)/g;

/** Whether a map `mcpServers` is from the settings of Gemini CLI. */
export function isGemini(map: Readonly<Record<string, unknown>>): boolean {
  return Object.values(map).some((entry) => isRecord(entry) && OF_GEMINI.some((name) => name in entry));
}

/** Writes `$NAME` in an entry of Gemini CLI as other programs do. */
export function fromGemini(entry: WrittenEntry): WrittenEntry {
  return withTexts(entry, (text) => text.replace(VARIABLE, (_, name: string) => variable(name)));
}

/** Switches off the servers that the lists in the field `mcp` of its settings exclude. */
export function withoutExcluded(entries: NamedEntries, lists: unknown): NamedEntries {
  if (!isRecord(lists)) return entries;
  const { allowed, excluded } = lists;
  return entries.map(([name, entry]) => {
    const isOff =
      (Array.isArray(allowed) && !allowed.includes(name)) || (Array.isArray(excluded) && excluded.includes(name));
    return [name, isOff && isRecord(entry) ? { ...entry, disabled: true } : entry] as const;
  });
}
