import * as v from "valibot";

// The answers of the routes for keys, as the OpenAPI document describes them.

const said = <const S extends v.GenericSchema>(schema: S, description: string) =>
  v.pipe(schema, v.description(description));
const time = (description: string) => said(v.nullable(v.string()), description);

const limitSchema = v.object({
  limit: said(v.string(), "`parallel`, `tokens_per_day` and the like."),
  used: said(v.number(), "What counts towards the limit now."),
  max: v.number(),
  resets_at: time("When the count resets, RFC 3339; null for a limit that is not a budget."),
});

const terms = {
  id: said(v.string(), "Stays the same when the key is rotated. Usage and the audit trail refer to it."),
  name: said(v.string(), "The name that people know the key by."),
  tenant: v.string(),
  models: said(v.nullable(v.array(v.string())), "Names in which `*` stands for any characters; null for all models."),
  limits: said(v.record(v.string(), v.any()), "The limits that are set, by their names."),
  weight: v.number(),
  mcp: said(
    v.nullable(
      v.object({
        relays: said(
          v.optional(v.array(v.string())),
          "Ids of relays, in which `*` stands for any characters; absent: all.",
        ),
        tools: said(v.optional(v.array(v.string())), "Tools that the key may use, as patterns; absent: all of them."),
        prompts: said(v.optional(v.array(v.string())), "Prompts, as patterns."),
        resources: said(v.optional(v.array(v.string())), "URIs of resources, as patterns."),
        parallel: said(v.optional(v.number()), "Calls of relays that may run at once."),
        requests_per_minute: said(v.optional(v.number()), "Calls of relays within a minute."),
      }),
    ),
    "What the key may do at relays that leave it to this server who may call; null for everything.",
  ),
  class: v.picklist(["interactive", "normal", "background"]),
  expires_at: time("RFC 3339; null for a key that does not expire."),
  hint: said(v.string(), "The beginning of the key, by which its holder recognizes it."),
  used: said(v.array(limitSchema), "How much of each limit is used."),
};

const shared = {
  tenant_limits: said(v.record(v.string(), v.any()), "The limits that all keys of the tenant share, by their names."),
  tenant_used: said(v.array(limitSchema), "What these keys have used of them together."),
};

const tenantFields = {
  name: said(v.string(), "The name by which keys name the tenant."),
  limits: said(v.record(v.string(), v.any()), "The limits that are set, by their names."),
  used: said(v.array(limitSchema), "What all keys of the tenant have used of each limit that counts something."),
  source: said(v.picklist(["made", "file"]), "`file`: the tenant is listed in `KEYS_FILE` and is changed only there."),
  changed_at: said(v.string(), "RFC 3339."),
  changed_by: said(v.string(), "The caller's name as in logs: `admin-key:1`, `cli`, or `KEYS_FILE`."),
};

export const tenantSchema = said(v.object(tenantFields), "The limits of the tenant.");

export const tenantListSchema = said(
  v.object({
    data: v.array(v.object(tenantFields)),
    has_more: said(v.boolean(), "Whether there are more tenants, which `after` or `offset` gets."),
    total: said(v.number(), "How many tenants have limits, on all pages."),
  }),
  "Tenants with limits, by their names.",
);

const keyFields = {
  ...terms,
  kind: v.picklist(["client", "worker", "admin", "join"]),
  source: said(v.picklist(["made", "file"]), "`file`: the key is listed in `KEYS_FILE` and is changed only there."),
  status: said(
    v.picklist(["active", "used_up", "expired", "revoked"]),
    "`used_up`: a join token that lets no further worker in.",
  ),
  user_header: said(v.nullable(v.string()), "The header that names the end user behind a request."),
  prefer: said(v.nullable(v.literal("own")), "`own`: workers that serve only the key's tenant come first."),
  tenants: said(
    v.nullable(v.array(v.string())),
    "For a worker's key or a join token: the only tenants that the worker serves.",
  ),
  max_slots: said(v.nullable(v.number()), "For a worker's key or a join token: the most slots of the worker."),
  max_uses: said(v.nullable(v.number()), "How many workers a join token may let in."),
  uses: said(v.nullable(v.number()), "How many workers a join token has let in."),
  worker_id: said(
    v.nullable(v.string()),
    "The worker id that a worker's key is bound to; null for a key that may register any. With a dot and more text behind it, the id is allowed as well.",
  ),
  other_ids: said(v.nullable(v.array(v.string())), "Further ids that a bound key may register: those of relays."),
  rotated_at: time("When the current secret was made, RFC 3339; null for a key that was never rotated."),
  former: said(
    v.array(v.object({ hint: v.string(), valid_until: v.string() })),
    "Replaced secrets that are still accepted, the newest first.",
  ),
  created_at: v.string(),
  created_by: said(v.string(), "The caller's name as in logs: `admin-key:1`, or `cli`."),
  revoked_at: time("RFC 3339."),
  revoked_by: v.nullable(v.string()),
  last_used_at: time("RFC 3339, up to a minute late; null for a key that was never used."),
};

export const keySchema = said(v.object(keyFields), "The key, without its secret.");

export const shownKeySchema = said(
  v.object({ key: said(v.string(), "The key itself. It is shown now and never again."), ...keyFields }),
  "The key, with its text.",
);

export const keyListSchema = said(
  v.object({
    data: v.array(v.object(keyFields)),
    has_more: said(v.boolean(), "Whether there are more keys, which `after` or `offset` gets."),
    total: said(v.number(), "How many keys match, on all pages."),
  }),
  "Keys, the oldest first unless `sort` says otherwise.",
);

export const ownKeySchema = said(
  v.object({ ...terms, ...shared, kind: said(v.string(), "`client`."), hint: v.nullable(v.string()) }),
  "The key of the request. A key of `API_KEY` has its place in the list as its id.",
);

export const rotateSchema = v.object({
  overlap: said(
    v.optional(v.union([v.string(), v.number()])),
    "How long the current secret stays valid: `48h`, `0s`, or a number of seconds; at most 90 days. Default: 24 hours.",
  ),
});
