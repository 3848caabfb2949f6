import type { AnyElysia } from "elysia";
import type { Auth } from "../auth/auth.ts";
import type { Caller } from "../auth/caller.ts";
import type { KeyBook } from "../keys/key-book.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import type { TenantBook } from "../keys/tenant-book.ts";
import type { TenantEntry } from "../keys/tenant-entry.ts";
import type { LimitState } from "../limits/limit-state.ts";
import { API_KEY_SECURITY, errorResponses, jsonAnswer } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { heldKeyJson } from "./key-json.ts";
import { ownKeySchema } from "./key-schema.ts";
import { sharedJson } from "./tenant-json.ts";

export interface OwnKeyOptions {
  readonly auth: Pick<Auth, "ask">;
  readonly book: Pick<KeyBook, "get"> | undefined;
  readonly limitStates: (entry: KeyEntry) => readonly LimitState[];
  readonly tenants: Pick<TenantBook, "get"> | undefined;
  /** Returns what counts towards the limits of a tenant now. */
  readonly tenantStates: (entry: TenantEntry) => readonly LimitState[];
}

/** `GET /api/key`: what the key of the request allows, for its holder. */
export function ownKeyRoute({ auth, book, limitStates, tenants, tenantStates }: OwnKeyOptions): AnyElysia {
  return createRoutes().get(
    "/api/key",
    ({ visit }) => {
      const caller = auth.ask(visit, "api");
      const entry = caller.keyId === undefined ? undefined : book?.get(caller.keyId);
      const json = entry ? heldKeyJson(entry, limitStates(entry)) : callerJson(caller);
      const tenant = entry && tenants?.get(caller.tenant);
      const shared = sharedJson(tenant, tenant ? tenantStates(tenant) : []);
      return Response.json({ ...json, ...shared }, { headers: { "cache-control": "no-store" } });
    },
    {
      detail: {
        tags: ["Keys"],
        security: API_KEY_SECURITY,
        summary: "Show the key of this request",
        description: "What the key allows, how much of its limits is used, and when budgets reset.",
        responses: {
          200: jsonAnswer(ownKeySchema),
          ...errorResponses("invalid_api_key", "key_expired", "key_revoked", "key_rotated", "too_many_auth_failures"),
        },
      },
    },
  );
}

/** Returns the same for a caller without a made key, who has no limits of this sort. */
function callerJson({ name, tenant, weight, class: urgency }: Caller) {
  const terms = { name, tenant, models: null, limits: {}, weight, mcp: null, class: urgency, expires_at: null };
  return { id: name, ...terms, kind: "client", hint: null, used: [] };
}
