import * as v from "valibot";
import { sha256 } from "../auth/keys.ts";
import { parseJson } from "../json/parse.ts";
import type { Holder } from "./connector.ts";
import type { OAuthRow } from "./oauth-records.ts";

const holderSchema = v.variant("kind", [
  v.object({ kind: v.literal("key"), owner: v.string(), keyId: v.optional(v.string()), name: v.string() }),
  v.object({ kind: v.literal("oidc"), issuer: v.string(), subject: v.string(), name: v.string() }),
]);

/** What this server adds to the library's record of a grant. */
const metadataSchema = v.object({
  relay: v.string(),
  /** What the client calls itself; cleaned. */
  client: v.string(),
  /** The host to which the client had the code sent. */
  host: v.optional(v.string()),
  holder: holderSchema,
});

/** The parts of the library's record that are read here. Times are in seconds. */
const grantSchema = v.object({
  id: v.string(),
  clientId: v.string(),
  userId: v.string(),
  createdAt: v.number(),
  expiresAt: v.optional(v.number()),
  resource: v.string(),
  authCodeWrappedKey: v.optional(v.string()),
  metadata: metadataSchema,
});

export type GrantMetadata = v.InferOutput<typeof metadataSchema>;
export type GrantRecord = v.InferOutput<typeof grantSchema>;

const read = new WeakMap<OAuthRow, GrantRecord>();

/** Reads the record of a grant; undefined for one that cannot be read, which then gives access to nothing. */
export function readGrant(row: OAuthRow): GrantRecord | undefined {
  const known = read.get(row);
  if (known) return known;
  const parsed = v.safeParse(grantSchema, parseJson(row.value));
  if (!parsed.success) return undefined;
  read.set(row, parsed.output);
  return parsed.output;
}

/** Returns the name of the record of the grant that a code, an access token or a refresh token belongs to. */
export function grantNameOf(token: string): string | undefined {
  const [userId, grantId, secret, ...more] = token.length > MAX_TOKEN_CHARS ? [] : token.split(":");
  return userId && grantId && secret && more.length === 0 ? `grant:${userId}:${grantId}` : undefined;
}

/** Returns the id of the grant whose record has this name. */
export function grantIdOf(name: string): string {
  return name.slice(name.lastIndexOf(":") + 1);
}

/**
 * Returns the name under which the library knows a holder. It is in every token and code of the holder, so nothing can be learnt
 * from it.
 */
export function userIdOf(holder: Holder): string {
  const id = holder.kind === "oidc" ? holder.subject : (holder.keyId ?? holder.name);
  return sha256(`holder ${holder.kind} ${id}`).slice(0, USER_ID_CHARS);
}

/** 96 bits. */
const USER_ID_CHARS = 24;
/** Tokens of the library have about 90 characters. */
const MAX_TOKEN_CHARS = 512;
