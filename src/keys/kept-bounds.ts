import * as v from "valibot";
import { cleanText } from "../wire/clean-text.ts";
import type { KeyKind } from "./key-entry.ts";
import { mcpJson } from "./key-mcp.ts";
import { keySpecSchema } from "./key-spec.ts";
import type { KeyTerms } from "./key-terms.ts";
import type { limitFields } from "./limit-spec.ts";
import { MAX_NAME_CHARS, removable } from "./spec-fields.ts";

// The bounds of what was kept. They are wider than those of a request where an earlier version has accepted more: an entry that
// cannot be read shuts the doors of a server, and its key would end with an upgrade.

/** Earlier versions have kept names with a key in them, names that are not normalized, and half an emoji at the end. */
const name = v.pipe(v.string(), v.trim(), v.nonEmpty(), v.maxLength(MAX_NAME_CHARS), v.check(hasNoControls));

/** Earlier versions have kept headers with credentials, which name nobody any more. */
const header = v.pipe(v.string(), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/));

const keptSchema = v.strictObject({
  ...keySpecSchema.entries,
  name,
  tenant: removable(name),
  tenants: removable(v.pipe(v.array(name), v.minLength(1), v.maxLength(100))),
  user_header: removable(header),
});

/** Whether a text may be the name of a key or a tenant that was kept. */
export function isKeptName(text: string): boolean {
  return v.is(name, text);
}

function hasNoControls(text: string): boolean {
  return cleanText(text) === text.toWellFormed();
}

/** Whether terms that were kept are within bounds for a key of this kind. They may have expired. */
export function areTermsInBounds(kind: KeyKind, terms: KeyTerms): boolean {
  const { limits } = terms;
  const given = {
    tenant: terms.tenant,
    models: terms.models && [...terms.models],
    limits: {
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
    } satisfies Record<keyof typeof limitFields, unknown>,
    weight: terms.weight,
    mcp: terms.mcp && mcpJson(terms.mcp),
    class: terms.class,
    user_header: terms.userHeader,
    prefer: terms.prefer,
    tenants: terms.tenants && [...terms.tenants],
    max_slots: terms.maxSlots,
    max_uses: terms.maxUses,
    expires_at: undefined,
  } satisfies Record<Exclude<keyof typeof keptSchema.entries, "name" | "kind">, unknown>;
  return v.is(keptSchema, { ...given, name: terms.name, kind });
}
