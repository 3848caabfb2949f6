import { DEFAULT_TENANT } from "../auth/caller.ts";
import { isUsedUp } from "../keys/key-changes.ts";
import { type KeyEntry, lastUseOf } from "../keys/key-entry.ts";
import { mcpJson } from "../keys/key-mcp.ts";
import { endOf } from "../keys/key-source.ts";
import type { KeyLimits, KeyTerms } from "../keys/key-terms.ts";
import type { LimitState } from "../limits/limit-state.ts";
import type { KeyStatus, KeyView, LimitView, TermsView } from "./key-view.ts";

/** Returns a key as operators see it. It contains nothing that could be used as the key. */
export function keyJson(entry: KeyEntry, states: readonly LimitState[], now: number): KeyView {
  const { id, kind, source, secret, former, tenants, maxSlots, maxUses, uses, workerId, otherIds } = entry;
  return {
    id,
    ...termsJson(entry),
    kind,
    source,
    status: statusOf(entry, now),
    hint: secret.hint,
    user_header: entry.userHeader ?? null,
    prefer: entry.prefer ?? null,
    tenants: tenants ?? null,
    max_slots: maxSlots ?? null,
    max_uses: maxUses ?? null,
    uses: uses ?? (kind === "join" ? 0 : null),
    worker_id: workerId ?? null,
    other_ids: otherIds ?? null,
    used: statesJson(states),
    rotated_at: secret.madeAt > entry.createdAt ? toTime(secret.madeAt) : null,
    former: former
      .filter(({ validUntil }) => validUntil > now && source === "made")
      .map(({ hint, validUntil }) => ({ hint, valid_until: toTime(validUntil) })),
    created_at: toTime(entry.createdAt),
    created_by: entry.createdBy,
    revoked_at: timeText(entry.revokedAt),
    revoked_by: entry.revokedBy ?? null,
    last_used_at: timeText(lastUseOf(entry)),
  };
}

/** Returns a key as its holder sees it: what it allows, and what is left of that. */
export function heldKeyJson(entry: KeyEntry, states: readonly LimitState[]) {
  const { id, kind, secret } = entry;
  return { id, ...termsJson(entry), kind, hint: secret.hint, used: statesJson(states) };
}

/** What a key allows, as operators and its holder see it. */
function termsJson({ name, tenant, models, limits, weight, mcp, class: urgency, expiresAt }: KeyTerms): TermsView {
  return {
    name,
    tenant: tenant ?? DEFAULT_TENANT,
    models: models ?? null,
    limits: limitsJson(limits),
    weight: weight ?? 1,
    mcp: mcp ? mcpJson(mcp) : null,
    class: urgency ?? "normal",
    expires_at: timeText(expiresAt),
  };
}

/** Returns the limits that are set. */
export function limitsJson(limits: KeyLimits): Readonly<Record<string, string | number>> {
  const all = {
    parallel: limits.parallel,
    max_waiting: limits.maxWaiting,
    requests_per_minute: limits.requestsPerMinute,
    tokens_per_minute: limits.tokensPerMinute,
    tokens_per_day: limits.tokensPerDay,
    tokens_per_week: limits.tokensPerWeek,
    tokens_per_month: limits.tokensPerMonth,
    audio_seconds_per_day: limits.audioSecondsPerDay,
    audio_seconds_per_week: limits.audioSecondsPerWeek,
    audio_seconds_per_month: limits.audioSecondsPerMonth,
    timezone: limits.timezone,
    on_limit: limits.onLimit,
  };
  const set: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(all)) if (value !== undefined) set[name] = value;
  return set;
}

export function statesJson(states: readonly LimitState[]): readonly LimitView[] {
  return states.map(({ limit, used, max, resetsAt }) => ({ limit, used, max, resets_at: timeText(resetsAt) }));
}

export function statusOf(entry: KeyEntry, now: number): KeyStatus {
  const end = endOf(entry, now);
  if (end === undefined) return isUsedUp(entry) ? "used_up" : "active";
  return end === "key_revoked" ? "revoked" : "expired";
}

function timeText(at: number | undefined): string | null {
  return at === undefined ? null : toTime(at);
}

function toTime(at: number): string {
  return new Date(at).toISOString();
}
