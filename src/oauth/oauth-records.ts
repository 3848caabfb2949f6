/** One record of the authorization server: a client, a grant, an access token, or a page of consent that is open. */
export interface OAuthRow {
  /** `client:<id>`, `grant:<user>:<id>`, `token:<user>:<grant>:<hash>`, `transaction:<hash>` or `used:<user>:<grant>`. */
  readonly name: string;
  readonly value: string;
  /** Milliseconds since 1970; undefined for a record that does not expire. */
  readonly expiresAt: number | undefined;
}

/** Keeps the records of one server over a restart. */
export interface OAuthKeep {
  /** Returns all records, also expired ones. Called once. */
  load(): readonly OAuthRow[];
  save(row: OAuthRow): void;
  remove(name: string): void;
}

/**
 * How a record was written that all servers share. `conflict`: another server has changed it first, and its version was told.
 * `away`: nothing was written, or it is not known whether something was. `own`: nothing is shared.
 */
export type SharedOAuthWrite = "written" | "conflict" | "away" | "own";

/** The records that the servers of a cluster share. */
export interface SharedOAuth {
  /** Whether it is not known yet which records there are, because they could not be reached since the start. */
  readonly isUnread: boolean;
  /** Returns the records that are known when the server starts. Called once. */
  load(): readonly OAuthRow[];
  /** Writes a record if the last version that is known here is still current. Never rejects. */
  write(row: OAuthRow): Promise<SharedOAuthWrite>;
  /**
   * Removes a record, whatever other servers write to it meanwhile: with a grant, all of its tokens. Resolves with whether all servers
   * know; false if the records cannot be reached. The record is then gone for this server, which removes it from the others' as soon as
   * they can be reached. Never rejects.
   */
  remove(name: string): Promise<boolean>;
  /** Tries again to remove what could not be removed. */
  retry(): void;
  /** Calls `listener` for each change that is heard of; an undefined row was removed. There is one listener. */
  watch(listener: (name: string, row: OAuthRow | undefined) => void): void;
}
