import * as v from "valibot";
import { isRecord } from "../../json/parse.ts";
import type { McpRules } from "../../wire/mcp-call.ts";
import { ID_FORM, isId, MAX_TEXT_CHARS } from "../../wire/names.ts";
import type { Access, McpServer, ToolSearch } from "./mcp-server.ts";

// One URL for all servers of a file: `one_url` of the file, as a name or as a map, or the settings of the same name.

const settingsSchema = v.strictObject({
  id: v.pipe(v.string(), v.check(isId)),
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TEXT_CHARS))),
  only: v.optional(v.boolean()),
  tool_search: v.optional(v.union([v.boolean(), v.literal("auto")])),
});

const TAKES: Readonly<Record<string, string>> = {
  id: `it takes ${ID_FORM}`,
  only: "it takes true or false",
  tool_search: "it takes true, false or auto",
};

/** The fields of `one_url` that say who may call, and what, which are those of a server. */
const OF_ACCESS: ReadonlySet<string> = new Set([
  "access",
  "auth_token",
  "auth_token_env",
  "callers",
  "tools",
  "prompts",
  "resources",
  "audit_arguments",
]);

/** Who may call the one URL, and what. */
export interface OneUrlTerms {
  readonly access: Access;
  /** Absent: everything. */
  readonly rules?: readonly McpRules[];
  readonly auditArguments?: boolean;
}

/** One URL as the worker's settings name it. */
export interface OneUrlGiven extends OneUrlTerms {
  readonly id: string;
  readonly isOnly: boolean;
  readonly toolSearch: ToolSearch;
}

export interface OneUrlReading {
  /** The relay for all servers; undefined if none is wanted, or for a fault. */
  readonly hub?: McpServer;
  readonly faults: readonly string[];
}

/** Reads `one_url` of a file. `toTerms` reads the fields of access, or returns what is wrong. */
export function readOneUrl(
  written: unknown,
  servers: readonly McpServer[],
  toTerms: (fields: Readonly<Record<string, unknown>>) => OneUrlTerms | string,
): OneUrlReading {
  const map = typeof written === "string" ? { id: written } : written;
  if (!isRecord(map)) return { faults: ["one_url takes an id, or a map with an id"] };
  const entries = Object.entries(map);
  const result = v.safeParse(settingsSchema, Object.fromEntries(entries.filter(([name]) => !OF_ACCESS.has(name))));
  if (!result.success) {
    const faults = result.issues.map((issue) => {
      const key = String(issue.path?.[0]?.key);
      return `one_url.${key} is not usable; ${TAKES[key] ?? "it takes id, name, only, tool_search and who may call"}`;
    });
    return { faults: [...new Set(faults)] };
  }
  const terms = toTerms(Object.fromEntries(entries.filter(([name]) => OF_ACCESS.has(name))));
  if (typeof terms === "string") return { faults: [`one_url: ${terms}`] };
  const { id, name = id, only = false, tool_search = false } = result.output;
  return withHub({ id, isOnly: only, toolSearch: toToolSearch(tool_search), ...terms }, servers, name);
}

function toToolSearch(written: boolean | "auto"): ToolSearch {
  return written === "auto" ? written : written ? "true" : "false";
}

/** Makes the relay for all servers. */
export function withHub(
  { id, isOnly, toolSearch, access, rules = [], auditArguments = false }: OneUrlGiven,
  servers: readonly McpServer[],
  name = id,
): OneUrlReading {
  const joined = servers.filter((each) => each.access.kind !== "oauth");
  if (joined.length === 0)
    return { faults: ["one_url has no server: callers of those with oauth sign in to the server itself"] };
  const guarded = joined.find((each) => each.access.kind !== "none");
  // The one URL would otherwise open what its own relay protects.
  if (access.kind === "none" && guarded)
    return {
      faults: [
        `one_url needs access or a token of its own, because ${guarded.key ?? guarded.name} is not open to everybody`,
      ],
    };
  const hub: McpServer = {
    name,
    id,
    source: { kind: "hub", servers: joined, isOnly, toolSearch },
    access,
    ...(rules.length > 0 ? { rules } : {}),
    ...(auditArguments ? { auditArguments } : {}),
  };
  return { hub, faults: [] };
}
