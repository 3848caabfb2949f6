import type { Config } from "../config.ts";
import type { Caller } from "./caller.ts";
import { Gate, type GateParts } from "./gate.ts";
import { combineKeys, type KeySource, type KeySources } from "./keys.ts";

/** The configured keys and roles, which a reload replaces. */
export type AccessLists = Pick<
  Config,
  "apiKeys" | "clientKeys" | "adminKeys" | "apiRoles" | "clientRoles" | "adminRoles"
>;

/** All gates of a server under one set of keys and roles. */
export interface Gates {
  /** The keys that open the door of the API. */
  readonly apiKeys: KeySource;
  readonly api: Gate;
  readonly transfer: Gate;
  readonly workers: Gate;
  readonly operators: Gate;
  /** Whether keys, roles or an issuer for operators alone are configured. */
  readonly hasAdmins: boolean;
  /** Whether it is not known yet whether there are admins. Anyone who operates a server without admins only sees its state then. */
  readonly areAdminsUnread: boolean;
}

const ADMINS_ONLY =
  "No valid admin key was given; an API key is not enough here. Send it as 'Authorization: Bearer <key>'.";

const SIGN_IN =
  "You are not signed in, and no valid admin key was given. Sign in at /state, or send an admin key as 'Authorization: Bearer <key>'.";

export const UNREAD_ADMINS =
  "This server has not reached the records of its cluster in NATS since its start, so it does not know yet who may operate it. Until then, API keys only show the state. Try again shortly, or set ADMIN_KEY on the server.";

const NO_ADMINS =
  "This server has no admin key, and keys that were made for clients are not enough here. Set ADMIN_KEY, or create a key of the kind admin.";

/**
 * Builds the gates. `standIn` returns the caller of a token that clients may use in place of a key. `made` are the keys that
 * are made while the server runs. Without admins, listed keys of clients also open the door for operators. Made ones never
 * do, because they are given to people who may use models but not operate the server. `signInOwner` is the owner of sign-ins
 * through an issuer; with one, clients are never operators.
 */
export function createGates(
  parts: GateParts,
  listed: KeySources,
  { apiRoles, clientRoles, adminRoles }: AccessLists,
  standIn: (token: string) => Caller | undefined,
  made?: KeySources,
  signInOwner?: string,
): Gates {
  const keys = made ? combineKeys(listed, made) : listed;
  const areAdminsListed = !listed.admin.isEmpty || adminRoles.length > 0 || signInOwner !== undefined;
  // There may be admin keys, of which this server has not heard yet. Nobody may act in their place.
  const areAdminsUnread = !areAdminsListed && (keys.admin.isUnread ?? false);
  const hasAdmins = areAdminsListed || (!keys.admin.isEmpty && !areAdminsUnread);
  const hasMade = made !== undefined && !made.api.isEmpty;
  return {
    apiKeys: keys.api,
    api: new Gate(parts, { surface: "api", sources: [keys.api], roles: apiRoles, standIn, elsewhere: keys.admin }),
    transfer: new Gate(parts, {
      surface: "transfer",
      sources: [keys.api, keys.client],
      roles: [...apiRoles, ...clientRoles],
      standIn,
      elsewhere: keys.admin,
    }),
    workers: new Gate(parts, { surface: "worker", sources: [keys.client], roles: clientRoles }),
    // Try tokens do not count here, because they must give no access to the state or to its actions.
    operators: new Gate(
      parts,
      hasAdmins
        ? {
            surface: "state",
            sources: [keys.admin],
            roles: adminRoles,
            refusal: signInOwner === undefined ? ADMINS_ONLY : SIGN_IN,
            elsewhere: keys.api,
            signInOwner,
            isShut: true,
          }
        : {
            surface: "state",
            sources: [listed.api],
            roles: apiRoles,
            ...(hasMade && { isShut: true, refusal: NO_ADMINS, elsewhere: keys.api }),
            ...(areAdminsUnread && { isShut: true, refusal: UNREAD_ADMINS, elsewhere: keys.api }),
          },
    ),
    hasAdmins,
    areAdminsUnread,
  };
}
