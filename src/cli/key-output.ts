import { isRecord } from "../json/parse.ts";
import type { Json } from "./admin-client.ts";
import { NOTHING } from "./key-fields.ts";
import { textFields, textTable } from "./text-table.ts";

const NEVER = "never";

/** Formats a list of keys for people. */
export function keysTable(keys: readonly Json[]): string {
  const titles = ["ID", "NAME", "KIND", "TENANT", "STATUS", "MODELS", "LIMITS", "LAST USED", "EXPIRES"];
  const rows = keys.map((key) => [
    text(key["id"]),
    text(key["name"]),
    text(key["kind"]),
    text(key["tenant"]),
    text(key["status"]),
    key["kind"] === "admin" ? "" : listText(key["models"], "all"),
    limitsText(key),
    timeText(key["last_used_at"]),
    timeText(key["expires_at"]),
  ]);
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

/** Formats a list of tenants with their limits for people. */
export function tenantsTable(tenants: readonly Json[]): string {
  const titles = ["TENANT", "LIMITS", "CHANGED", "BY"];
  const rows = tenants.map((tenant) => [
    text(tenant["name"]),
    limitsText(tenant),
    timeText(tenant["changed_at"]),
    text(tenant["changed_by"]),
  ]);
  return textTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

/** Formats everything about a key for people, with the limits at the end. */
export function keyFieldsText(key: Json): string {
  const former = Array.isArray(key["former"]) ? key["former"].filter(isRecord) : [];
  const optional = {
    ...mcpFields(key),
    "user header": key["user_header"],
    prefer: key["prefer"],
    tenants: key["tenants"] === null ? null : listText(key["tenants"], ""),
    "max slots": key["max_slots"],
    uses: usesText(key),
    worker: key["worker_id"],
    "other ids": key["other_ids"] === null ? null : listText(key["other_ids"], ""),
    revoked: key["revoked_at"] === null ? null : `${timeText(key["revoked_at"])} by ${text(key["revoked_by"])}`,
    "also accepted": former.map((each) => `${text(each["hint"])} until ${timeText(each["valid_until"])}`).join(", "),
  };
  const shown = Object.entries(optional).flatMap(([name, value]) => {
    return value === null || value === undefined || value === "" ? [] : [[name, text(value)] as const];
  });
  const head = textFields({
    id: text(key["id"]),
    name: text(key["name"]),
    kind: text(key["kind"]),
    status: text(key["status"]),
    key: text(key["hint"]),
    tenant: text(key["tenant"]),
    models: listText(key["models"], "all"),
    class: text(key["class"]),
    weight: text(key["weight"]),
    ...Object.fromEntries(shown),
    created: `${timeText(key["created_at"])} by ${text(key["created_by"])}`,
    "last used": timeText(key["last_used_at"]),
    expires: timeText(key["expires_at"]),
  });
  return `${head}\n${limitsTable(key)}`;
}

/** Returns what a key may do at relays, by the flags that set it. */
function mcpFields({ mcp }: Json): Readonly<Record<string, string>> {
  if (!isRecord(mcp)) return {};
  const fields = Object.entries(mcp).map(([name, value]) => {
    const words = Array.isArray(value) ? value.map(text).join(",") || NOTHING : text(value);
    return [`mcp ${name.replaceAll("_", " ")}`, words] as const;
  });
  return Object.fromEntries(fields);
}

/** Formats the limits of a key, with what is used of each. */
export function limitsTable(key: Json): string {
  const limits = isRecord(key["limits"]) ? key["limits"] : {};
  const used = Array.isArray(key["used"]) ? key["used"].filter(isRecord) : [];
  if (Object.keys(limits).length === 0) return "No limits.\n";
  const columns = [
    { title: "LIMIT" },
    { title: "USED", isNumber: true },
    { title: "OF", isNumber: true },
    { title: "RESETS" },
  ];
  const isCount = ([, value]: readonly [string, unknown]): boolean => typeof value === "number";
  const rows = Object.entries(limits)
    .filter(isCount)
    .map(([name, value]) => {
      const state = used.find(({ limit }) => limit === name);
      const resets = state?.["resets_at"];
      return [name, state ? text(state["used"]) : "", text(value), resets ? timeText(resets) : ""];
    });
  const manner = Object.entries(limits).filter((entry) => !isCount(entry));
  const table = rows.length > 0 ? textTable(columns, rows) : "";
  if (manner.length === 0) return table;
  // A blank line, so that they do not look like rows of the table.
  return `${table}${table === "" ? "" : "\n"}${textFields(Object.fromEntries(manner.map(([k, v]) => [k, text(v)])))}`;
}

/** Formats the limits on one line: `parallel 1/4, tokens_per_day 1200/2000000`. */
function limitsText(key: Json): string {
  const used = Array.isArray(key["used"]) ? key["used"].filter(isRecord) : [];
  return used.map(({ limit, used: now, max }) => `${text(limit)} ${text(now)}/${text(max)}`).join(", ");
}

/** Writes how often a join token was used: `1 of 3`. Empty for another key. */
export function usesText({ kind, uses, max_uses: max }: Json): string {
  if (kind !== "join") return "";
  return `${text(uses)} of ${typeof max === "number" ? max : "any number"}`;
}

function listText(value: unknown, absent: string): string {
  return Array.isArray(value) ? value.map(text).join(",") : absent;
}

/** Says that a key was revoked before. `what` is the key in words. */
export function alreadyText(what: string, { revoked_at: at, revoked_by: by }: Json): string {
  return `Nothing has changed: ${what} was already revoked at ${timeText(at)} by ${text(by)}.`;
}

/** Formats a time without the `T` and the milliseconds: `2026-11-27 12:00:00Z`. */
export function timeText(value: unknown): string {
  return typeof value === "string" ? value.replace("T", " ").replace(/\.\d+Z$/, "Z") : NEVER;
}

export function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}
