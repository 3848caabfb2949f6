/** A change of this server that the bucket does not have yet. */
export interface Pending {
  readonly value: string | undefined;
  /** The revision that the record had when it was first changed here. */
  base: number;
  /** Whether another server was first. The change ends when that of the other server is known. */
  isLost: boolean;
}

/** A record as the bucket has it, by what this server knows. */
export interface Known {
  readonly value: string | undefined;
  /** 0 for a record that this server kept itself, until a bucket was read. */
  readonly revision: number;
}

/**
 * How a write ended that was made for somebody who waits. `conflict`: the record has changed, and its new version was told.
 * `unknown`: the connection broke meanwhile. `away`: nothing was written.
 */
export type ConfirmedWrite = "written" | "conflict" | "unknown" | "away";
