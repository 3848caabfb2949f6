import type { WorkerTerms } from "../wire/worker-terms.ts";

/** A worker that wants to trade a join token for a key of its own. */
export interface JoinRequest {
  readonly token: string;
  /**
   * A secret that the worker made before it asked for the first time. A worker that asks again with the same one, because
   * the answer was lost, gets a key again without another use of the token. Undefined: it cannot ask again.
   */
  readonly proof: string | undefined;
  /** The id that the key is bound to. */
  readonly workerId: string;
  /** Further ids that the key may register. */
  readonly otherIds: readonly string[];
  /** The worker's name, which people know it by; its key gets the same one. */
  readonly name: string | undefined;
  /** The owner that the worker was before, if it has proved that with a valid key. */
  readonly previousOwner?: string | undefined;
  /** Whether requests to the worker come from callers whose tenants are known. A token for certain tenants needs that. */
  readonly knowsTenants: boolean;
  /** Whether the id that is registered now, and that of the key, are free or belong to this owner, which is undefined for a key that is not made yet. */
  mayHaveId(owner: string | undefined): boolean;
}

/** Why a token was not traded. */
export type JoinRefusal =
  | "join_token_unknown"
  | "join_token_expired"
  | "join_token_revoked"
  | "join_token_used_up"
  | "join_unavailable"
  | "tenants_not_known"
  | "id_in_use";

/** The outcome of a trade. */
export type Joined =
  | {
      readonly ok: true;
      /** The text of the key, which only the worker keeps. */
      readonly credential: string;
      /** See `KeyRecord`. */
      readonly owner: string;
      readonly caller: string;
      readonly terms: WorkerTerms;
    }
  /** `isGuess`: nobody has made the token. */
  | { readonly ok: false; readonly refusal: JoinRefusal; readonly isGuess: boolean };

/** Trades join tokens for workers' keys. */
export interface Joining {
  /** `address` is the worker's, for the audit trail. Never rejects. */
  trade(request: JoinRequest, address: string | undefined): Promise<Joined>;
}
