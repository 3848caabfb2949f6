import type { Audit } from "../audit/audit.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { Log } from "../system/deps.ts";
import type { Proxies } from "./addresses.ts";
import { ANONYMOUS, type Caller } from "./caller.ts";
import { ownerOf } from "./gate.ts";
import { type Gates, UNREAD_ADMINS } from "./gates.ts";
import { keysOf } from "./keys.ts";
import { isSecure } from "./public-origin.ts";
import { assertSameOrigin } from "./same-origin.ts";
import type { SignIn, SignIns } from "./sign-ins.ts";
import type { TryTokens } from "./try-tokens.ts";

/**
 * The door to the state and to operators' actions. It accepts admin keys and roles if any are configured, else those of
 * clients. All methods throw `invalid_api_key` or `too_many_auth_failures`. Like the door for clients, they refuse pages of
 * other sites where no key is required, and to use a role. Viewers read and do nothing else.
 */
export interface OperatorDoor {
  /** Lets a visit with a key, a role or a sign-in read the state. */
  read(visit: Visit): StateAccess;
  /** Returns whether a visit has a current sign-in. A wrong one does not count as a guess: nobody can guess a sign-in. */
  isSignedIn(visit: Visit): boolean;
  /**
   * Lets the same visits act, except those of viewers, unless a page of another site sent the request. Also throws
   * `viewer_not_allowed`, `origin_not_allowed` or `host_not_allowed`.
   */
  act(visit: Visit): Caller;
  /**
   * Issues a short-lived token that an operator may use in place of a client's key. The request must be one that `act`
   * lets in. The token ends with the operator's sign-in. Undefined if clients require no key, or if operators require
   * none: the token would then open to everyone what clients need a key for.
   */
  issueTryToken(visit: Visit): { readonly token: string; readonly expiresInS: number } | undefined;
}

/** Sign-ins to the dashboard, which replace a key by a cookie. Each method returns a `Set-Cookie` value. */
export interface SignInDoor {
  /** The kind of key to sign in with; undefined if there are no keys: roles come from the proxy, or users from an issuer. */
  readonly keyKind: "admin" | "API" | undefined;
  /** Begins a sign-in with a key. Throws `origin_not_allowed`, `invalid_api_key` or `too_many_auth_failures`. */
  begin(visit: Visit, key: string): string;
  /** Ends the request's sign-in. Throws `origin_not_allowed`. */
  end(visit: Visit): string;
}

/** Permission to read the state. It may end with a sign-in, so a long stream MUST check `isCurrent` repeatedly. */
export interface StateAccess {
  readonly caller: Caller;
  /** False for a viewer. */
  readonly mayAct: boolean;
  isCurrent(): boolean;
}

export interface OperatorDoorParts {
  readonly gates: () => Gates;
  readonly proxies: Proxies;
  readonly signIns: SignIns;
  readonly tryTokens: TryTokens;
  readonly addressOf: (visit: Visit) => string | undefined;
  readonly log: Log;
  /** Writes down sign-ins; undefined if nobody does. */
  readonly audit?: Audit | undefined;
  /** Throws for a request from a page of another site. */
  readonly assertNoForeignPage: (headers: Headers) => void;
}

export function createOperatorDoor(parts: OperatorDoorParts): OperatorDoor {
  const { gates, proxies, signIns, tryTokens, assertNoForeignPage } = parts;
  // Only keys and the issuer begin sign-ins. A sign-in for a role is forged, because clients may know the key that seals it
  // (`operatorKeys`).
  const isCurrent = (signIn: SignIn): boolean =>
    signIns.isCurrent(signIn) && gates().operators.maySignInAs(signIn.caller.owner);
  const signInOf = (visit: Visit): SignIn | undefined => {
    const signIn = gates().operators.canSignIn ? signIns.find(visit.request) : undefined;
    return signIn && isCurrent(signIn) ? signIn : undefined;
  };
  const openOr = (visit: Visit): Caller => {
    const gate = gates().operators;
    if (!gate.isOpen) return gate.admit(visit);
    assertNoForeignPage(visit.request.headers);
    return ANONYMOUS;
  };
  const act = (visit: Visit): Caller => {
    const caller = admit(visit);
    if (gates().areAdminsUnread) throw new Fault("viewer_not_allowed", { message: UNREAD_ADMINS });
    return caller;
  };
  const admit = (visit: Visit): Caller => {
    const gate = gates().operators;
    const signIn = gate.isOpen ? undefined : signInOf(visit);
    if (signIn?.role === "viewer") throw new Fault("viewer_not_allowed");
    const byItself = gate.isOpen ? ANONYMOUS : (signIn?.caller ?? gate.roleOf(visit));
    if (!byItself) return gate.admitKeys(visit, keysOf(visit.request.headers));
    // A browser would send a cookie or a proxy's role for any site's page as well. A key beside them is not checked.
    // A page whose own name was made to lead here has the same origin, so an open door checks the name, too.
    if (gate.isOpen) assertNoForeignPage(visit.request.headers);
    assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
    return byItself;
  };
  return {
    read(visit) {
      const signIn = signInOf(visit);
      const areAdminsKnown = !gates().areAdminsUnread;
      if (signIn)
        return {
          caller: signIn.caller,
          mayAct: signIn.role === "admin" && areAdminsKnown,
          isCurrent: () => isCurrent(signIn),
        };
      const caller = openOr(visit);
      return { caller, mayAct: areAdminsKnown, isCurrent: () => gates().operators.stillAdmits(caller) };
    },
    isSignedIn: (visit) => signInOf(visit) !== undefined,
    act,
    issueTryToken(visit) {
      const caller = act(visit);
      const { operators, api, transfer } = gates();
      if (operators.isOpen || (api.isOpen && transfer.isOpen)) return undefined;
      // An operator with a key or a role could use that instead, so the token lasts for its full life.
      return tryTokens.issue({ owner: ownerOf(caller), signIn: signInOf(visit) });
    },
  };
}

export function createSignInDoor(parts: OperatorDoorParts): SignInDoor {
  const { gates, log, audit, proxies, signIns, addressOf } = parts;
  return {
    get keyKind() {
      const { operators, hasAdmins } = gates();
      return !operators.hasKeys ? undefined : hasAdmins ? "admin" : "API";
    },
    begin(visit, key) {
      assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
      const caller = gates().operators.admitKeys(visit, key === "" ? [] : [key]);
      audit?.note({ who: caller.name, address: addressOf(visit), what: "sign_in" });
      log.info("operator.signed_in", { request: visit.requestId, caller: caller.name, address: addressOf(visit) });
      return signIns.begin({ name: caller.name, owner: ownerOf(caller) }, isSecure(visit, proxies));
    },
    end(visit) {
      assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
      const signIn = signIns.find(visit.request);
      if (signIn) audit?.note({ who: signIn.caller.name, address: addressOf(visit), what: "sign_out" });
      return signIns.end(visit.request, isSecure(visit, proxies));
    },
  };
}
