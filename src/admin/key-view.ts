// What operators see of keys and tenants: the answers of the routes for keys, without their secrets.

/** `used_up`: a join token that lets no further worker in. */
export type KeyStatus = "active" | "used_up" | "expired" | "revoked";

/** A limit of a key with what counts towards it now. */
export interface LimitView {
  /** `parallel`, `tokens_per_day` and the like. */
  readonly limit: string;
  readonly used: number;
  readonly max: number;
  /** When the count resets, RFC 3339; null for a limit that is not for a day, a week or a month. */
  readonly resets_at: string | null;
}

/** What a key allows, as operators and its holder see it. */
export interface TermsView {
  readonly name: string;
  readonly tenant: string;
  /** Null for all models. */
  readonly models: readonly string[] | null;
  /** The limits that are set, by their names. */
  readonly limits: Readonly<Record<string, string | number>>;
  readonly weight: number;
  /** What the key may do at connector relays, by the names of the fields that set it; null for everything. */
  readonly mcp: Readonly<Record<string, number | readonly string[]>> | null;
  readonly class: "interactive" | "normal" | "background";
  /** RFC 3339, like all times here; null for a key that does not expire. */
  readonly expires_at: string | null;
}

/** A key as operators see it. */
export interface KeyView extends TermsView {
  readonly id: string;
  readonly kind: "client" | "worker" | "admin" | "join";
  readonly source: "made" | "file";
  readonly status: KeyStatus;
  readonly hint: string;
  readonly user_header: string | null;
  readonly prefer: "own" | null;
  readonly tenants: readonly string[] | null;
  readonly max_slots: number | null;
  readonly max_uses: number | null;
  readonly uses: number | null;
  readonly worker_id: string | null;
  readonly other_ids: readonly string[] | null;
  readonly used: readonly LimitView[];
  readonly rotated_at: string | null;
  readonly former: readonly { readonly hint: string; readonly valid_until: string }[];
  readonly created_at: string;
  readonly created_by: string;
  readonly revoked_at: string | null;
  readonly revoked_by: string | null;
  readonly last_used_at: string | null;
}

/** A tenant whose keys share limits, as operators see it. */
export interface TenantView {
  readonly name: string;
  /** The limits that are set, by their names. */
  readonly limits: Readonly<Record<string, string | number>>;
  readonly used: readonly LimitView[];
  readonly source: "made" | "file";
  readonly changed_at: string;
  readonly changed_by: string;
}
