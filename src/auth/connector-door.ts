import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { ConnectorRelay, ConnectorTokens, Granted, Holder, HolderAccess, Holders } from "../oauth/connector.ts";
import { bearerIn } from "../wire/bearer.ts";
import type { McpCaller } from "../wire/mcp-call.ts";
import { type ActiveCaller, type Caller, type CallerLimits, createCaller } from "./caller.ts";
import type { Callers } from "./callers.ts";
import type { Gates } from "./gates.ts";
import { grantFault } from "./grant-fault.ts";
import { type KeyRefusal, type KeySource, keysOf, sha256 } from "./keys.ts";
import type { Refusals } from "./refusals.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** The relay that a visit calls, by the URLs of the client's own words for this server. */
export interface CalledRelay {
  readonly id: string;
  /** The URL that was called; undefined if this server's name for the client is not known, so that no token can be for it. */
  readonly resource: string | undefined;
  /** Where the relay's metadata is, which tells a client how to sign in. Read only for a caller who is refused. */
  readonly metadataUrl: string | undefined;
}

/** A caller that was let in, until it leaves. */
export interface Entered {
  readonly caller: ActiveCaller;
  readonly grantId: string | undefined;
  /**
   * Returns the caller as the relay is told of it. Throws `relay_not_allowed` or `relay_cannot_restrict` for a relay that the caller
   * cannot use, and as `enter` does if the key or the grant behind it has ended since.
   */
  callerAt(relay: ConnectorRelay): McpCaller;
  /** Whether the caller may use exactly as much of a relay as `callerAt` has said. */
  isUnchanged(relay: ConnectorRelay, as: McpCaller): boolean;
  /** Counts a call towards the key's limits until the returned function is called: see `RelayLimits`. */
  begin(): () => void;
}

/** The door of connector relays, whose callers this server authenticates. */
export interface ConnectorDoor extends Holders {
  /** Whether anybody can be let in: there are keys of clients, or people can sign in without one. */
  readonly isReady: boolean;
  /**
   * Lets in a visit with a client's key, or with an access token for the relay. Rejects with `invalid_api_key`, `key_expired`,
   * `key_revoked`, `key_rotated`, `key_not_confirmed` or `too_many_auth_failures`, and as `ClientDoor.enter` does. A 401 has the
   * challenge with which a client begins to sign in.
   */
  enter(visit: Visit, relay: CalledRelay): Promise<Entered>;
  /**
   * Returns the caller to whom the client's key in a visit belongs; undefined without such a key. It counts no wrong keys, so
   * code that refuses the visit MUST do so at a door that counts them.
   */
  clientOf(visit: Visit): Caller | undefined;
  /** Returns what a caller may use of a relay. */
  accessAt(caller: Caller, relay: ConnectorRelay): HolderAccess;
  /** Whether a text is a client's key or a token of this server, which MUST NOT be passed on to a relay. */
  isOurs(text: string): boolean;
  /** Returns the metadata by which clients find out how to sign in to a relay; undefined if they can only send keys. */
  metadataFor(resource: string, origin: string): object | undefined;
}

export interface ConnectorDoorParts {
  readonly gates: () => Gates;
  readonly refusals: Refusals;
  readonly callers: Callers;
  readonly limits: RelayLimits;
  readonly tokens: () => ConnectorTokens | undefined;
  /** The limits of callers who have signed in without a key. */
  readonly userLimits: CallerLimits;
}

/** The caller behind a request or a grant, with the secret that proves it. */
interface Proven {
  /** The caller as its key is now. Throws if the key or the grant has ended. */
  readonly now: () => Caller;
  readonly grant: Granted | undefined;
}

export function createConnectorDoor(parts: ConnectorDoorParts): ConnectorDoor {
  const { gates, refusals, callers, limits, tokens, userLimits } = parts;

  const keys = (): KeySource => gates().apiKeys;

  /** Returns the caller of a secret as its key is now; else why it is refused, which is undefined for an unknown secret. */
  const callerOfHash = (hash: string | undefined): Caller | KeyRefusal | undefined => {
    const source = keys();
    const record = hash === undefined ? undefined : source.find(hash);
    if (record) return record;
    if (hash === undefined) return source.isUnread ? UNREAD : undefined;
    return source.explain?.("", hash);
  };
  const callerOfHolder = (holder: Holder): Caller | KeyRefusal | undefined => {
    if (holder.kind === "oidc") return createCaller(holder.name, userLimits);
    return callerOfHash(keys().hashOf?.(holder.owner));
  };

  /** A grant of a key is a use of the key. */
  const noteUse = (holder: Holder): void => {
    const hash = holder.kind === "key" ? keys().hashOf?.(holder.owner) : undefined;
    const record = hash === undefined ? undefined : keys().find(hash);
    if (record) keys().used?.(record);
  };

  const prove = async (visit: Visit, relay: CalledRelay): Promise<Proven> => {
    const { headers } = visit.request;
    const given = keysOf(headers);
    for (const key of given) {
      const hash = sha256(key);
      if (gates().api.findHash(hash)) return { now: () => current(callerOfHash(hash)), grant: undefined };
    }
    const bearer = bearerIn(headers.get("authorization"));
    const granted =
      bearer === undefined || relay.resource === undefined ? undefined : await tokens()?.verify(relay.resource, bearer);
    if (granted && bearer !== undefined) {
      const held = (): Caller => {
        // A call may wait for its relay, and the grant may be revoked meanwhile.
        if (tokens()?.isOurs(bearer) !== true) throw grantFault();
        return { ...current(callerOfHolder(granted.holder)), client: granted.clientName };
      };
      noteUse(granted.holder);
      return { now: held, grant: granted };
    }
    throw refuse(visit, relay, given);
  };

  const refuse = (visit: Visit, relay: CalledRelay, given: readonly string[]): Fault => {
    const { api } = gates();
    const known = given.map((key) => api.explain(key)).find((each) => each !== undefined);
    const guesses = api.guessesIn(given.filter((key) => tokens()?.hasForm(key) !== true));
    const hasKey = given.length > 0;
    const fault = refusals.refuse(visit, "relay", { guesses, hasKey, message: hasKey ? WRONG : NONE, known });
    return withChallenge(fault, relay, hasKey);
  };

  return {
    get isReady() {
      return gates().api.hasKeys || tokens()?.isWithoutKeys === true;
    },
    async enter(visit, called) {
      const { now, grant } = await prove(visit, called);
      const judged = (relay: ConnectorRelay): McpCaller => {
        try {
          return toMcpCaller(now(), relay);
        } catch (error) {
          throw error instanceof Fault ? withChallenge(error, called, true) : error;
        }
      };
      const caller = enterAs(callers, now, visit, called);
      return {
        caller,
        grantId: grant?.grantId,
        callerAt: judged,
        isUnchanged(relay, as) {
          try {
            return Bun.deepEquals(toMcpCaller(now(), relay), as);
          } catch (error) {
            if (error instanceof Fault) return false;
            throw error;
          }
        },
        begin: () => limits.enter(now()),
      };
    },
    clientOf: ({ request }) =>
      keysOf(request.headers)
        .map((key) => gates().api.find(key))
        .find((caller) => caller !== undefined),
    accessAt,
    isOurs: (text) => keys().find(sha256(text)) !== undefined || tokens()?.isOurs(text) === true,
    metadataFor: (resource, origin) => tokens()?.metadataFor(resource, origin),
    holderOf(visit, key) {
      const caller = gates().api.admitKeys(visit, key === "" ? [] : [key]);
      const owner = keys().secretOwner?.(sha256(key));
      // A token in place of a key stands for no secret that could be asked for again.
      if (owner === undefined) throw refusals.refuse(visit, "relay", { guesses: 0, hasKey: true });
      return { kind: "key", owner, keyId: caller.keyId, name: caller.name };
    },
    accessOf(holder, relay): HolderAccess {
      const caller = callerOfHolder(holder);
      if (caller === undefined) return { kind: "ended" };
      if (!isCaller(caller)) return { kind: caller.code === "key_not_confirmed" ? "not_confirmed" : "ended" };
      return accessAt(caller, relay);
    },
  };
}

function enterAs(callers: Callers, now: () => Caller, visit: Visit, called: CalledRelay): ActiveCaller {
  let who: Caller;
  try {
    who = now();
  } catch (error) {
    throw error instanceof Fault ? withChallenge(error, called, true) : error;
  }
  const caller = callers.enter(who, visit);
  // Bun forgets the address of a client that leaves, and the log line about its request comes after that.
  visit.address();
  return caller;
}

function accessAt({ tenant, relays }: Caller, relay: ConnectorRelay): HolderAccess {
  const isForOthers = relay.tenants !== undefined && !relay.tenants.includes(tenant);
  if (isForOthers || relays?.mayCall(relay.id) === false) return { kind: "no_relay" };
  const rules = relays?.rules;
  return rules !== undefined && !relay.restricts ? { kind: "cannot_restrict" } : { kind: "allowed", rules };
}

function toMcpCaller(caller: Caller, relay: ConnectorRelay): McpCaller {
  const access = accessAt(caller, relay);
  switch (access.kind) {
    case "allowed":
      return { name: caller.name, ...(access.rules && { rules: access.rules }) };
    case "no_relay":
      throw new Fault("relay_not_allowed");
    default:
      throw new Fault("relay_cannot_restrict");
  }
}

/** Returns the caller, or throws why its key is refused. */
function current(caller: Caller | KeyRefusal | undefined): Caller {
  if (caller === undefined) throw new Fault("key_revoked");
  if (isCaller(caller)) return caller;
  throw new Fault(caller.code, { message: caller.message });
}

function isCaller(value: Caller | KeyRefusal): value is Caller {
  return "tenant" in value;
}

/** Adds to a 401 how a client signs in (RFC 6750 §3, RFC 9728 §5.1). Other faults stay as they are. */
function withChallenge(fault: Fault, called: CalledRelay, hasCredentials: boolean): Fault {
  if (fault.status !== 401) return fault;
  const { metadataUrl } = called;
  const members = [
    ...(hasCredentials ? ['error="invalid_token"'] : []),
    ...(metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]),
  ];
  const challenge = members.length === 0 ? "Bearer" : `Bearer ${members.join(", ")}`;
  return new Fault(fault.code, { message: fault.message, headers: { "www-authenticate": challenge } });
}

const NONE =
  "This relay serves callers who have signed in to this server. Let your program sign in, or send a client's key of this server as 'Authorization: Bearer YOUR_KEY'.";
const WRONG =
  "The bearer token is no client's key of this server, and no token of a sign-in to this relay that is valid now.";

const UNREAD: KeyRefusal = {
  code: "key_not_confirmed",
  reason: "keys_unread",
  message:
    "This server has not reached the records of its cluster since its start, so it does not know this key yet. Try again shortly.",
  caller: undefined,
  isGuess: false,
};
