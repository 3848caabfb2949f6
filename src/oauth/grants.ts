import { Fault } from "../errors.ts";
import type { Holder } from "./connector.ts";
import { type GrantRecord, readGrant } from "./grant-record.ts";
import type { GrantUses } from "./grant-uses.ts";
import type { OAuthTable } from "./oauth-table.ts";
import { removeGrant } from "./room.ts";

/** What people see of a grant. Times are in milliseconds since 1970. */
export interface GrantFacts {
  readonly id: string;
  /** `id` is a random text, or the URL of the client's document. */
  readonly client: { readonly id: string; readonly name: string; readonly redirectHost: string | undefined };
  /** The id of the relay. */
  readonly relay: string;
  /** The relay's URL, by which the client knows it. */
  readonly resource: string;
  /** MUST NOT be shown as it is: see `Holder`. */
  readonly holder: Holder;
  readonly createdAt: number;
  /** Undefined for a grant that was never used, as far as this server knows. */
  readonly lastUsedAt: number | undefined;
  /** When the grant ends unless it is used before; undefined for one whose code was not exchanged yet. */
  readonly expiresAt: number | undefined;
}

/** Which grants to list. */
export interface GrantFilter {
  /** Only those that the holder of this made key has given. */
  readonly keyId?: string | undefined;
}

/** A grant that was ended. */
export interface Revoked {
  readonly grant: GrantFacts;
  /** Whether all servers of a cluster know. If not, this one has ended it, and tells them as soon as it can. */
  readonly areAllTold: boolean;
}

/**
 * The grants of all servers of a cluster. While this server has not heard yet which there are, the methods throw or reject with
 * `keys_unavailable`.
 */
export interface Grants {
  /** Lists grants, the newest first. There are never more than `MOST.grant`. */
  list(filter?: GrantFilter): readonly GrantFacts[];
  /** Ends a grant: its tokens are refused from now on, and its calls end. Resolves with what it was; undefined if there is none. */
  revoke(id: string): Promise<Revoked | undefined>;
}

/** Creates the list. `usersLifeMs` is how long grants of the issuer's users last at most, if that is known. */
export function createGrants(table: OAuthTable, uses: GrantUses, usersLifeMs = Number.POSITIVE_INFINITY): Grants {
  const factsOf = ({
    id,
    userId,
    clientId,
    createdAt,
    expiresAt,
    resource,
    metadata,
    ...rest
  }: GrantRecord): GrantFacts => ({
    id,
    client: { id: clientId, name: metadata.client, redirectHost: metadata.host },
    relay: metadata.relay,
    resource,
    holder: toHolder(metadata.holder),
    createdAt: createdAt * 1000,
    lastUsedAt: uses.lastUsedAt({ id, userId }),
    expiresAt:
      rest.authCodeWrappedKey === undefined ? endOf({ expiresAt, createdAt, metadata }, usersLifeMs) : undefined,
  });
  const all = function* (): Iterable<{ readonly name: string; readonly grant: GrantRecord }> {
    if (table.isUnread) throw new Fault("keys_unavailable", { message: UNREAD, retryAfterS: RETRY_AFTER_S });
    for (const row of table.rows("grant")) {
      const grant = readGrant(row);
      if (grant) yield { name: row.name, grant };
    }
  };
  return {
    list({ keyId } = {}) {
      const facts = Array.from(all(), ({ grant }) => factsOf(grant));
      const wanted = facts.filter(
        ({ holder }) => keyId === undefined || (holder.kind === "key" && holder.keyId === keyId),
      );
      // Within one second, the newest is the last.
      return wanted.reverse().toSorted((a, b) => b.createdAt - a.createdAt);
    },
    async revoke(id) {
      for (const { name, grant } of all()) {
        if (grant.id !== id) continue;
        // What is known of its use goes with it.
        const facts = factsOf(grant);
        return { grant: facts, areAllTold: await removeGrant(table, name) };
      }
      return undefined;
    },
  };
}

/** Returns when a grant ends unless it is used before, and a grant of a user of the issuer at the latest. */
function endOf(
  { expiresAt, createdAt, metadata }: Pick<GrantRecord, "expiresAt" | "createdAt" | "metadata">,
  usersLifeMs: number,
): number | undefined {
  if (expiresAt === undefined || metadata.holder.kind === "key") return expiresAt && expiresAt * 1000;
  return Math.min(expiresAt * 1000, createdAt * 1000 + usersLifeMs);
}

const UNREAD =
  "This server has not reached the records of its cluster in NATS since its start, so it does not know yet which programs have access. Try again shortly.";
const RETRY_AFTER_S = 5;

/** Returns the holder as others know it. */
export function toHolder(read: GrantRecord["metadata"]["holder"]): Holder {
  return read.kind === "oidc" ? read : { ...read, keyId: read.keyId };
}
