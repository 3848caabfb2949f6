import type { Audit } from "../audit/audit.ts";
import type { Config } from "../config.ts";
import type { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { ConnectorTokens } from "../oauth/connector.ts";
import type { Deps } from "../system/deps.ts";
import { type AccessChanges, countChanges, type OpenedSide, openedBy } from "./access-changes.ts";
import { addressBucket, createProxies } from "./addresses.ts";
import {
  type ActiveCaller,
  ANONYMOUS,
  type AuthSurface,
  type Caller,
  type ClientSurface,
  createCaller,
} from "./caller.ts";
import { Callers, type IdleTimeouts, type RequestsElsewhere } from "./callers.ts";
import { type ConnectorDoor, createConnectorDoor } from "./connector-door.ts";
import { type AccessLists, createGates, type Gates } from "./gates.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import type { Joining } from "./joining.ts";
import { configuredKeys, type KeySource, type KeySources } from "./keys.ts";
import { createOidcDoor, type OidcDoor } from "./oidc-door.ts";
import { OidcFlows } from "./oidc-flows.ts";
import { oidcOwner } from "./oidc-roles.ts";
import { createOperatorDoor, createSignInDoor, type OperatorDoor, type SignInDoor } from "./operator-door.ts";
import { createPageGuard, createRoleGuard } from "./page-guard.ts";
import { Refusals, type RefusalsElsewhere } from "./refusals.ts";
import { RelayLimits } from "./relay-limits.ts";
import { SignIns } from "./sign-ins.ts";
import { type SignOutRecords, SignOuts } from "./sign-outs.ts";
import { type SharedSecret, TokenKeys } from "./token-keys.ts";
import { TryTokens } from "./try-tokens.ts";
import { createWorkerDoor, type WorkerDoor } from "./worker-door.ts";

/**
 * The door for clients. It never touches a request's body. If the surface requires keys, it throws `invalid_api_key` or
 * `too_many_auth_failures`. If it requires none, pages of other sites are still refused, with `origin_not_allowed` or
 * `host_not_allowed`. A role does not count for such a page either: `origin_not_allowed`. The surface `open` lets every
 * request in, because its routes have their own rules.
 */
export interface ClientDoor {
  /** Lets a request in and counts it as running until its caller leaves. Also throws `too_many_requests`. */
  enter(visit: Visit, surface: ClientSurface): ActiveCaller;
  /** Lets in a request that is not counted, because it is answered at once. */
  ask(visit: Visit, surface: ClientSurface): Caller;
  /**
   * Counts a wrong token of an MCP relay, which its worker has recognised. Returns `too_many_auth_failures`, to be answered
   * in place of the worker's refusal, if this address was at its limit for this relay before.
   */
  refuseToken(visit: Visit, relayId: string): Fault | undefined;
  /** Returns whether the surface requires no key. */
  isOpen(surface: ClientSurface): boolean;
}

/** What the configuration says about who is let in, for warnings. */
export interface Access {
  /** Whether the API requires no key. */
  readonly isClientOpen: boolean;
  /** Whether workers need no key. */
  readonly isWorkerOpen: boolean;
  /** Whether keys, roles or an issuer for operators alone are configured. */
  readonly hasAdmins: boolean;
  /** Whether workers may come from several owners: there are several keys and roles for them. */
  readonly hasSeveralOwners: boolean;
}

/** The outcome of a reload. One that takes the last key and role of a side changes nothing: see `openedBy`. */
export type Reload =
  | { readonly ok: true; readonly changes: AccessChanges }
  | { readonly ok: false; readonly opened: OpenedSide };

/** Authentication and authorization: the doors of the server, and the limits on concurrent requests. */
export interface Auth extends ClientDoor, Access {
  readonly workers: WorkerDoor;
  readonly operators: OperatorDoor;
  readonly signIns: SignInDoor;
  /** The door of relays whose callers sign in to this server. */
  readonly connectors: ConnectorDoor;
  /** Sign-ins by an issuer; undefined without one. */
  readonly oidc: OidcDoor | undefined;
  /** The sign-ins that were ended early, which other servers must know. */
  readonly signOuts: SignOuts;
  /** Returns the client's address for logs: the one that a trusted proxy states, else the peer's. */
  addressOf(visit: Visit): string | undefined;
  /**
   * Takes over other keys and roles. Requests with removed ones are refused from now on, and their sign-ins, state streams
   * and try tokens end. Running requests continue. The sessions of workers are ended by their source, not here.
   */
  reload(next: AccessLists): Reload;
  /** Builds the gates again, after the first key of a kind was made. */
  refresh(): void;
}

/** What the other servers of a cluster have used of common limits. */
export interface LimitsElsewhere extends RefusalsElsewhere {
  readonly requests: RequestsElsewhere;
}

export interface AuthOptions {
  readonly idleTimeouts: IdleTimeouts;
  /** The source of keys, in place of the configuration's lists. */
  readonly keys?: KeySources | undefined;
  /** Keys that are made while the server runs, beside those of the configuration. */
  readonly made?: KeySources | undefined;
  /** The secret that seals sign-ins and try tokens; keys of operators seal them unless given. */
  readonly secret?: SharedSecret | undefined;
  /** Sign-outs are forgotten at a restart unless given. */
  readonly signOutRecords?: SignOutRecords | undefined;
  /** The issuer that `OIDC_ISSUER` names. */
  readonly identity?: IdentityProvider | undefined;
  /** Trades join tokens; undefined for a server that makes no keys. */
  readonly joining?: Joining | undefined;
  /** The authorization server for connector relays; absent: their callers send keys. Not called before the first request. */
  readonly connectorTokens?: (() => ConnectorTokens | undefined) | undefined;
  /** Records sign-ins; undefined if nobody does. */
  readonly audit?: Audit | undefined;
  /** What the other servers of a cluster count; absent where this server is the only one. */
  readonly elsewhere?: LimitsElsewhere | undefined;
  /** Called for every request and worker that is refused, for metrics. */
  readonly onFailure?: (surface: AuthSurface) => void;
}

export function createAuth(config: Config, { clock, ids, log }: Deps, options: AuthOptions): Auth {
  const { idleTimeouts, onFailure = () => {} } = options;
  const proxies = createProxies(config.trustedProxies);
  const addressOf = (visit: Visit): string | undefined => proxies.clientAddress(visit.request.headers, visit.address());
  const bucketOf = (visit: Visit): string => addressBucket(addressOf(visit));
  const refusals = new Refusals({
    clock,
    log,
    maxPerMinute: config.authFailuresPerMinute,
    addressOf,
    bucketOf,
    onFailure,
    elsewhere: options.elsewhere,
  });
  const callers = new Callers({
    idleTimeouts,
    maxPerAddress: config.maxRequestsPerAddress,
    addressOf,
    bucketOf,
    elsewhere: options.elsewhere?.requests,
  });
  const assertNoForeignPage = createPageGuard(config);
  const tokenKeys = new TokenKeys({ clock, shared: options.secret });
  const signOuts = new SignOuts({ clock, records: options.signOutRecords });
  const signIns = new SignIns({ clock, ids, keys: tokenKeys, signOuts });
  const tryTokens = new TryTokens({
    clock,
    keys: tokenKeys,
    isCurrent: ({ owner, signIn }) =>
      gates.operators.hasOwner(owner) && (signIn === undefined || signIns.isCurrent(signIn)),
  });

  const limits = { maxRequests: config.maxRequestsPerKey };
  const dashboard = createCaller("dashboard", limits);
  const standIn = (token: string): Caller | undefined => (tryTokens.isCurrent(token) ? dashboard : undefined);
  const gateParts = { proxies, refusals, assertPageMayUseRole: createRoleGuard(config), roleLimits: limits };
  const { made, identity } = options;
  const signInOwner = oidcOwner(config);
  const gatesFor = (next: AccessLists): Gates => {
    const { maxRequestsPerKey, clusterName } = config;
    const listed = options.keys ?? configuredKeys({ ...next, maxRequestsPerKey, clusterName });
    return createGates(gateParts, listed, next, standIn, made, signInOwner);
  };
  let lists: AccessLists = config;
  let gates = gatesFor(lists);
  const deriveTokenKeys = (): void => {
    const { operators, hasAdmins } = gates;
    const keys = signInOwner === undefined ? operatorKeys(lists, hasAdmins, made?.admin) : issuersKeys(lists, config);
    tokenKeys.derive(keys, (owner) => operators.hasOwner(owner));
  };
  deriveTokenKeys();

  const ask = (visit: Visit, surface: ClientSurface): Caller => {
    if (surface === "open") return ANONYMOUS;
    const gate = gates[surface];
    if (!gate.isOpen) return gate.admit(visit);
    assertNoForeignPage(visit.request.headers);
    return ANONYMOUS;
  };
  const parts = {
    gates: () => gates,
    proxies,
    refusals,
    signIns,
    tryTokens,
    addressOf,
    bucketOf,
    assertNoForeignPage,
    log,
    audit: options.audit,
    joining: options.joining,
  };
  const connectors = createConnectorDoor({
    gates: () => gates,
    refusals,
    callers,
    limits: new RelayLimits(clock, options.elsewhere?.requests),
    tokens: options.connectorTokens ?? (() => undefined),
    userLimits: limits,
  });
  const oidc =
    identity && signInOwner !== undefined
      ? createOidcDoor({
          ...parts,
          config,
          clock,
          identity,
          owner: signInOwner,
          flows: new OidcFlows(clock, tokenKeys, signInOwner),
        })
      : undefined;
  return {
    enter(visit, surface) {
      const caller = callers.enter(ask(visit, surface), visit);
      // Bun forgets the address of a client that leaves, and the log line about its request comes after that.
      visit.address();
      return caller;
    },
    ask,
    addressOf,
    refuseToken: (visit, relayId) => refusals.refuseToken(visit, relayId),
    isOpen: (surface) => surface === "open" || gates[surface].isOpen,
    workers: createWorkerDoor(parts),
    operators: createOperatorDoor(parts),
    signIns: createSignInDoor(parts),
    connectors,
    oidc,
    signOuts,
    get isClientOpen() {
      return gates.api.isOpen;
    },
    get isWorkerOpen() {
      return gates.workers.isOpen;
    },
    get hasAdmins() {
      return gates.hasAdmins;
    },
    get hasSeveralOwners() {
      return lists.clientKeys.length + lists.clientRoles.length > 1 || made?.client.isEmpty === false;
    },
    reload(next) {
      const opened = openedBy(lists, next, made);
      // Without a key, the issuer's users are still operators, and nobody else.
      if (opened && (opened !== "operators" || signInOwner === undefined)) return { ok: false, opened };
      const changes = countChanges(lists, next);
      lists = next;
      gates = gatesFor(lists);
      deriveTokenKeys();
      return { ok: true, changes };
    },
    refresh() {
      gates = gatesFor(lists);
      deriveTokenKeys();
    },
  };
}

/**
 * Returns the keys from which the one for tokens is derived. If only roles make an operator, the API keys seal the try
 * tokens, because a try token opens nothing that an API key does not open. There are no sign-ins then. If some operators
 * have keys that were made, there are sign-ins, which no API key may seal. The texts of those keys are not known here, so
 * the tokens are then valid on this server alone.
 */
function operatorKeys(
  { adminKeys, apiKeys }: AccessLists,
  hasAdmins: boolean,
  made: KeySource | undefined,
): readonly string[] {
  if (hasAdmins && adminKeys.length > 0) return adminKeys;
  const isAnyMade = made !== undefined && !made.isEmpty;
  return isAnyMade ? [] : apiKeys;
}

/**
 * Returns the keys from which the one for tokens is derived where users sign in through an issuer. Then anybody can get sealed
 * text, in the cookie of a sign-in that has merely begun, and must not be able to guess the keys of operators from it: the
 * secret that the server has at the issuer is part of the key. Without that secret, the tokens are valid on this server alone.
 */
function issuersKeys({ adminKeys }: AccessLists, { oidcClientSecret }: Config): readonly string[] {
  return oidcClientSecret === undefined ? [] : [...adminKeys, `oidc ${oidcClientSecret}`];
}
