/** One worker id with restrictions, in the State API. */
export interface RestrictionState {
  readonly id: string;
  /** The worker's own name; null if it was not connected when it was restricted. */
  readonly name: string | null;
  readonly connected: boolean;
  readonly drained: RestrictionFact | null;
  readonly blocked: RestrictionFact | null;
}

/** That an operator has restricted a worker id. */
export interface RestrictionFact {
  /** RFC 3339. */
  readonly since: string;
  /** The caller name of the operator: `admin-key:1`, or a role. */
  readonly by: string;
}
