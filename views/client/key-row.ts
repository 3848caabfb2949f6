import type { KeyView } from "../../src/admin/key-view.ts";
import { callersOf } from "./callers.ts";
import { time as timeText } from "./format.ts";
import { type LimitLine, toLimitLine } from "./limit-line.ts";
import { mcpText } from "./mcp-form.ts";
import type { PluginState } from "./state-types.ts";

// What the page shows of one key. All functions are pure.

/** A row of the table of keys. */
export interface KeyRow extends KeyView {
  readonly limitLines: readonly LimitLine[];
  /** What the kind is called. */
  readonly kindText: string;
  /** The tenant, the worker or the uses, by the kind. */
  readonly detail: string;
  /** The models that the key allows; empty for all of them. */
  readonly modelsText: string;
  /** The replaced secrets that are still accepted; empty for none. */
  readonly formerText: string;
  /** Whether an operator can change the key here. */
  readonly isChangeable: boolean;
}

/** What the kinds of key are called on this page. */
export const KIND_TEXTS: Readonly<Record<KeyView["kind"], string>> = {
  client: "client",
  worker: "worker",
  admin: "admin",
  join: "join token",
};

export function toKeyRow(key: KeyView): KeyRow {
  const { models, former, source, status } = key;
  return {
    ...key,
    limitLines: key.used.map(toLimitLine),
    kindText: KIND_TEXTS[key.kind],
    detail: detailOf(key),
    modelsText: models === null ? "" : models.join(", "),
    formerText: former.map(({ hint, valid_until: until }) => `${hint} until ${timeText(until)}`).join(", "),
    isChangeable: source === "made" && status !== "revoked",
  };
}

function detailOf({ kind, tenant, tenants, worker_id: worker, uses, max_uses: maxUses }: KeyView): string {
  if (kind === "client") return tenant === "default" ? "" : tenant;
  if (kind === "join") return maxUses === null ? `used ${uses ?? 0} times` : `used ${uses ?? 0} of ${maxUses} times`;
  if (kind !== "worker") return "";
  return [...(worker === null ? [] : [`worker ${worker}`]), ...(tenants ?? [])].join(" · ");
}

/** A name and a value, as the details of a key list them. */
export interface Fact {
  readonly label: string;
  readonly value: string;
}

/** Lists everything about a key that the table has no room for. */
export function factsOf(key: KeyView): readonly Fact[] {
  const { limits } = key;
  const facts: [string, string | number | null][] = [
    ["Id", key.id],
    ["Starts with", key.hint],
    ["Kind", KIND_TEXTS[key.kind]],
    ["Tenant", key.kind === "client" ? key.tenant : null],
    ["Models", key.models === null ? "all" : key.models.join(", ")],
    ["Class", key.kind === "client" ? key.class : null],
    ["Weight", key.kind === "client" ? key.weight : null],
    ["At a limit", key.kind === "client" ? (limits["on_limit"] === "refuse" ? "refuses" : "waits") : null],
    ["May wait at once", limits["max_waiting"] ?? null],
    ["Budgets reset", limits["timezone"] === undefined ? null : `at midnight in ${limits["timezone"]}`],
    ["MCP", mcpText(key.mcp)],
    ["End user header", key.user_header],
    ["Prefers", key.prefer === "own" ? "workers of its tenant" : null],
    ["Serves", key.tenants === null ? null : key.tenants.join(", ")],
    ["Slots", key.max_slots],
    ["Worker", key.worker_id],
    ["Created", `${timeText(key.created_at)} by ${key.created_by}`],
    ["Rotated", key.rotated_at && timeText(key.rotated_at)],
    ["Expires", key.expires_at && timeText(key.expires_at)],
    ["Last used", key.last_used_at && timeText(key.last_used_at)],
    ["Revoked", key.revoked_at && `${timeText(key.revoked_at)} by ${key.revoked_by ?? "?"}`],
  ];
  return facts.flatMap(([label, value]) => (value === null || value === "" ? [] : [{ label, value: String(value) }]));
}

/** What a key's jobs do now. */
export interface KeyWork {
  readonly running: number;
  readonly waiting: number;
  /** Those of the waiting ones that a limit of the key holds back. */
  readonly held: number;
}

/** Adds up the jobs of all callers by their names, which are `key:<id>` for made keys. */
export function workByCaller(plugins: Readonly<Record<string, PluginState>>): ReadonlyMap<string, KeyWork> {
  const work = new Map<string, KeyWork>();
  for (const { name, running, waiting, held } of callersOf(plugins)) {
    const sum = work.get(name);
    work.set(name, {
      running: running + (sum?.running ?? 0),
      waiting: waiting + (sum?.waiting ?? 0),
      held: held + (sum?.held ?? 0),
    });
  }
  return work;
}

/** Returns the name of a key's caller. */
export function callerOf({ id, source }: Pick<KeyView, "id" | "source">): string {
  return source === "file" ? id : `key:${id}`;
}
