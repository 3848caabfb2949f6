import type { Config } from "../config.ts";
import { Fault } from "../errors.ts";
import type { Deps } from "../system/deps.ts";
import { type AddressSource, addressBucket, createProxies } from "./addresses.ts";
import type { AuthSurface } from "./caller.ts";
import { Callers } from "./callers.ts";
import { FailureLimit } from "./failure-limit.ts";
import { bearerOf, createKeySet, type KeySet, keysOf, nameKeys } from "./keys.ts";
import { createPageGuard } from "./page-guard.ts";
import { assertSameOrigin } from "./same-origin.ts";
import { SignIns } from "./sign-ins.ts";
import { TryTokens } from "./try-tokens.ts";

/** Counts a request out again, which `enter…` has counted in. May be called more than once. */
export type Leave = () => void;

/**
 * Who may do what, and how much of it at once. `address` gives the peer of the connection. `require…` return for whoever
 * is let in and throw `invalid_api_key` or `too_many_auth_failures` otherwise; none of them touches the body. `enter…` let
 * in the same, count the request as under way until it is counted out, and throw `too_many_requests` for one too many.
 *
 * Where no key is asked for, pages of other sites are still turned away, with `origin_not_allowed` or `host_not_allowed`.
 *
 * Wrong keys count against their address; a missing key does not, since nothing can be guessed by giving none, and one
 * forgetful client must not shut out everybody behind the same router.
 */
export interface Auth {
  /** An API key, or an API role from a trusted proxy; anyone where neither is configured. */
  requireApi(request: Request, address: AddressSource): void;
  /** An API key or client key, or a role of either kind; anyone where none of them is configured. */
  requireTransfer(request: Request, address: AddressSource): void;
  /** Whom `requireApi` lets in. */
  enterApi(request: Request, address: AddressSource): Leave;
  /** Whom `requireTransfer` lets in. */
  enterTransfer(request: Request, address: AddressSource): Leave;
  /** Anybody: where another asks for keys. */
  enterOpen(request: Request, address: AddressSource): Leave;
  /** What `requireApi` lets in, or a sign-in to the dashboard. */
  requireState(request: Request, address: AddressSource): StateAccess;
  /** What `requireState` lets in, unless another site's page has sent it. Also throws `origin_not_allowed`. */
  requireOperator(request: Request, address: AddressSource): void;
  /**
   * A short-lived stand-in for an API key, for whoever `requireOperator` lets in; it ends with the sign-in. Undefined
   * where the API asks for no key.
   */
  issueTryToken(
    request: Request,
    address: AddressSource,
  ): { readonly token: string; readonly expiresInS: number } | undefined;
  /**
   * Everything about a worker's upgrade request that `admitWorker` will need once its register message is there. Throws for
   * another site's page where workers need no key.
   */
  readWorkerCredentials(request: Request, address: AddressSource): WorkerCredentials;
  admitWorker(credentials: WorkerCredentials, registerKey: string | undefined): WorkerAdmission;
  /** Whether the State API needs a sign-in at all. */
  readonly isApiOpen: boolean;
  /** Whether there is a key to sign in with; roles alone come from the proxy. */
  readonly hasApiKey: boolean;
  /** Trades an API key for a sign-in to the dashboard: gives the `Set-Cookie` value. Also throws `origin_not_allowed`. */
  signIn(request: Request, address: AddressSource, key: string): string;
  /** Ends the request's sign-in: gives the `Set-Cookie` value. Throws `origin_not_allowed`. */
  signOut(request: Request, address: AddressSource): string;
}

/** Permission to read the state, which for a sign-in ends some time: long-lived streams ask again. */
export interface StateAccess {
  isCurrent(): boolean;
}

/** What a worker's upgrade request said; for `admitWorker` only. */
export interface WorkerCredentials {
  readonly key: string | undefined;
  readonly role: string | undefined;
  readonly address: string;
}

/** `owner` tells two holders of different keys or roles apart, and reveals neither. */
export type WorkerAdmission =
  | { readonly ok: true; readonly owner: string }
  | { readonly ok: false; readonly refusal: "unauthorized" | "unexpected_client_key" };

const OPEN: StateAccess = { isCurrent: () => true };

/** `onFailure` hears of everybody who is turned away: for metrics. */
export function createAuth(config: Config, deps: Deps, onFailure: (surface: AuthSurface) => void = () => {}): Auth {
  const { clock, ids } = deps;
  const api = createGate(config.apiKeys, config.apiRoles);
  const client = createGate(config.clientKeys, config.clientRoles);
  const transfer = createGate([...config.apiKeys, ...config.clientKeys], [...config.apiRoles, ...config.clientRoles]);
  const callers = new Callers({ perKey: config.maxRequestsPerKey, perAddress: config.maxRequestsPerAddress });
  const proxies = createProxies(config.trustedProxies);
  const assertNoStrangersPage = createPageGuard(config);
  const failures = new FailureLimit(config.authFailuresPerMinute, clock);
  const signIns = new SignIns(clock, ids);
  const tryTokens = new TryTokens(clock, ids);

  const roleOf = (gate: Gate, request: Request, address: AddressSource): string | undefined => {
    if (gate.roles.size === 0) return undefined;
    const given = request.headers.get("x-user-roles");
    if (given === null || !proxies.isTrusted(address())) return undefined;
    return given
      .split(",")
      .map((role) => role.trim())
      .find((role) => gate.roles.has(role));
  };
  const bucketOf = (request: Request, address: AddressSource): string =>
    addressBucket(proxies.clientAddress(request.headers, address()));

  // Refusing before the key is looked at is what makes guessing slow: a right guess must not be told from a wrong one.
  const assertNotBlocked = (surface: AuthSurface, request: Request, address: AddressSource): void => {
    if (!failures.hasFailures()) return;
    const retryAfterS = failures.retryAfterS(bucketOf(request, address));
    if (retryAfterS === undefined) return;
    onFailure(surface);
    throw new Fault("too_many_auth_failures", { retryAfterS });
  };
  const checkKeys = (
    gate: Gate,
    surface: AuthSurface,
    request: Request,
    keys: readonly string[],
    address: AddressSource,
  ): string => {
    assertNotBlocked(surface, request, address);
    for (const key of keys) {
      const name = gate.names[gate.keys.find(key)];
      if (name !== undefined) return name;
      // In place of a key where one is asked for; never to see the state or to act on it.
      if (surface !== "state" && tryTokens.isCurrent(key)) return "dashboard";
    }
    onFailure(surface);
    if (keys.length > 0) failures.add(bucketOf(request, address));
    throw new Fault("invalid_api_key", { headers: { "www-authenticate": "Bearer" } });
  };
  /** Gives who it is, by a name that reveals nothing; undefined where nobody is asked. */
  const letIn = (gate: Gate, surface: AuthSurface, request: Request, address: AddressSource): string | undefined => {
    if (gate.isOpen) return void assertNoStrangersPage(request.headers);
    const role = roleOf(gate, request, address);
    if (role !== undefined) return `role:${role}`;
    return checkKeys(gate, surface, request, keysOf(request.headers), address);
  };
  const enter = (name: string | undefined, request: Request, address: AddressSource): Leave =>
    callers.enter(name, () => bucketOf(request, address));

  const isSecure = (request: Request, address: AddressSource): boolean =>
    request.url.startsWith("https:") ||
    (request.headers.get("x-forwarded-proto")?.split(",")[0]?.trim() === "https" && proxies.isTrusted(address()));

  const requireOperator = (request: Request, address: AddressSource): void => {
    const isSignedIn = !api.isOpen && signIns.find(request) !== undefined;
    const isByKey = !api.isOpen && !isSignedIn && roleOf(api, request, address) === undefined;
    if (isByKey) return void checkKeys(api, "state", request, keysOf(request.headers), address);
    // Whatever else lets in comes from the browser by itself, on any site's page; a key beside it is not looked at.
    assertSameOrigin(request.headers, proxies.isTrusted(address()));
  };

  return {
    isApiOpen: api.isOpen,
    hasApiKey: !api.keys.isEmpty,
    requireApi: (request, address) => void letIn(api, "api", request, address),
    requireTransfer: (request, address) => void letIn(transfer, "transfer", request, address),
    enterApi: (request, address) => enter(letIn(api, "api", request, address), request, address),
    enterTransfer: (request, address) => enter(letIn(transfer, "transfer", request, address), request, address),
    enterOpen: (request, address) => enter(undefined, request, address),
    requireState(request, address) {
      const signIn = api.isOpen ? undefined : signIns.find(request);
      if (signIn !== undefined) return { isCurrent: () => signIns.isCurrent(signIn) };
      letIn(api, "state", request, address);
      return OPEN;
    },
    requireOperator,
    issueTryToken(request, address) {
      requireOperator(request, address);
      if (api.isOpen) return undefined;
      const signIn = signIns.find(request);
      // Whoever has come with a key or a role could have used that: the token is for them as long as it lives.
      const holder =
        signIn === undefined
          ? { id: bucketOf(request, address), isCurrent: () => true }
          : { id: signIn, isCurrent: () => signIns.isCurrent(signIn) };
      return tryTokens.issue(holder);
    },
    readWorkerCredentials(request, address) {
      if (client.isOpen) assertNoStrangersPage(request.headers);
      return {
        key: bearerOf(request.headers),
        role: roleOf(client, request, address),
        address: bucketOf(request, address),
      };
    },
    admitWorker({ key, role, address }, registerKey) {
      const turnAway = (refusal: "unauthorized" | "unexpected_client_key"): WorkerAdmission => {
        onFailure("worker");
        return { ok: false, refusal };
      };
      if (client.keys.isEmpty && registerKey !== undefined) return turnAway("unexpected_client_key");
      // A proxy that vouches for a role may have put its own Bearer token beside it.
      if (role !== undefined) return { ok: true, owner: `role:${role}` };
      if (client.keys.isEmpty && key !== undefined) return turnAway("unexpected_client_key");
      if (client.isOpen) return { ok: true, owner: "open" };
      if (failures.retryAfterS(address) !== undefined) return turnAway("unauthorized");
      const given = [registerKey, key].filter((each) => each !== undefined);
      for (const each of given) {
        const owner = client.names[client.keys.find(each)];
        if (owner !== undefined) return { ok: true, owner };
      }
      if (given.length > 0) failures.add(address);
      return turnAway("unauthorized");
    },
    signIn(request, address, key) {
      assertSameOrigin(request.headers, proxies.isTrusted(address()));
      checkKeys(api, "state", request, key === "" ? [] : [key], address);
      return signIns.begin(isSecure(request, address));
    },
    signOut(request, address) {
      assertSameOrigin(request.headers, proxies.isTrusted(address()));
      return signIns.end(request, isSecure(request, address));
    },
  };
}

/** One way in: its keys and roles. */
interface Gate {
  readonly keys: KeySet;
  /** In the order of the keys. */
  readonly names: readonly string[];
  readonly roles: ReadonlySet<string>;
  /** Nothing is configured, so everyone may pass. */
  readonly isOpen: boolean;
}

function createGate(keys: readonly string[], roles: readonly string[]): Gate {
  return {
    keys: createKeySet(keys),
    names: nameKeys(keys),
    roles: new Set(roles),
    isOpen: keys.length === 0 && roles.length === 0,
  };
}
