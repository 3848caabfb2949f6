import type { Visit } from "../http/visit.ts";
import type { Proxies } from "./addresses.ts";
import { ANONYMOUS, type Caller, createCaller } from "./caller.ts";
import type { Gate } from "./gate.ts";
import { keysOf } from "./keys.ts";
import { assertSameOrigin } from "./same-origin.ts";
import type { SignIns } from "./sign-ins.ts";
import type { TryTokens } from "./try-tokens.ts";

/**
 * The door to the state and to what operators do. It takes admin keys and roles where any are set up, else those of
 * clients. All of it throws `invalid_api_key` or `too_many_auth_failures`.
 */
export interface OperatorDoor {
  /** Lets in a key, a role or a sign-in to read the state. */
  read(visit: Visit): StateAccess;
  /** Lets in the same to change something, unless another site's page has sent it. Also throws `origin_not_allowed`. */
  act(visit: Visit): Caller;
  /**
   * A short-lived stand-in for an API key, for an operator whom `act` would let in; it ends with the operator's sign-in.
   * Undefined where the API asks for no key.
   */
  issueTryToken(visit: Visit): { readonly token: string; readonly expiresInS: number } | undefined;
}

/** Sign-ins to the dashboard: a cookie in place of a key. Each method gives a `Set-Cookie` value. */
export interface SignInDoor {
  /** The kind of key that one signs in with; undefined where there are none, since roles come from the proxy. */
  readonly keyKind: "admin" | "API" | undefined;
  /** Trades a key for a sign-in. Throws `origin_not_allowed`, `invalid_api_key` or `too_many_auth_failures`. */
  begin(visit: Visit, key: string): string;
  /** Ends the request's sign-in. Throws `origin_not_allowed`. */
  end(visit: Visit): string;
}

/** Permission to read the state. That of a sign-in ends with it: streams that last ask again. */
export interface StateAccess {
  readonly caller: Caller;
  isCurrent(): boolean;
}

export interface OperatorDoorParts {
  readonly gate: Gate;
  /** Whether keys or roles have been set up that are for operators only. */
  readonly hasAdmins: boolean;
  /** Whether clients need no key for the API. */
  readonly isApiOpen: boolean;
  readonly proxies: Proxies;
  readonly signIns: SignIns;
  readonly tryTokens: TryTokens;
  readonly bucketOf: (visit: Visit) => string;
  /** Throws for a page of another site. */
  readonly assertNoStrangersPage: (headers: Headers) => void;
}

const SIGNED_IN: Caller = createCaller("sign-in");

export function createOperatorDoor(parts: OperatorDoorParts): OperatorDoor {
  const { gate, isApiOpen, proxies, signIns, tryTokens, bucketOf, assertNoStrangersPage } = parts;
  const signInOf = (visit: Visit): string | undefined => (gate.isOpen ? undefined : signIns.find(visit.request));
  const openOr = (visit: Visit): Caller => {
    if (!gate.isOpen) return gate.admit(visit);
    assertNoStrangersPage(visit.request.headers);
    return ANONYMOUS;
  };
  const act = (visit: Visit): Caller => {
    const byItself = gate.isOpen ? ANONYMOUS : signInOf(visit) === undefined ? gate.roleOf(visit) : SIGNED_IN;
    if (!byItself) return gate.admitKeys(visit, keysOf(visit.request.headers));
    // A cookie, a proxy's role and an open door work for any site's page; a key beside them is not looked at.
    assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
    return byItself;
  };
  return {
    read(visit) {
      const signIn = signInOf(visit);
      if (signIn !== undefined) return { caller: SIGNED_IN, isCurrent: () => signIns.isCurrent(signIn) };
      return { caller: openOr(visit), isCurrent: () => true };
    },
    act,
    issueTryToken(visit) {
      act(visit);
      if (isApiOpen) return undefined;
      const signIn = signInOf(visit);
      // An operator who came with a key or a role could have used that: the token is theirs as long as it lives.
      const holder =
        signIn === undefined
          ? { id: bucketOf(visit), isCurrent: () => true }
          : { id: signIn, isCurrent: () => signIns.isCurrent(signIn) };
      return tryTokens.issue(holder);
    },
  };
}

export function createSignInDoor({ gate, hasAdmins, proxies, signIns }: OperatorDoorParts): SignInDoor {
  const isSecure = (visit: Visit): boolean => {
    const { headers, url } = visit.request;
    if (url.startsWith("https:")) return true;
    const scheme = headers.get("x-forwarded-proto")?.split(",")[0]?.trim();
    return scheme === "https" && proxies.isTrusted(visit.address());
  };
  return {
    keyKind: !gate.hasKeys ? undefined : hasAdmins ? "admin" : "API",
    begin(visit, key) {
      assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
      gate.admitKeys(visit, key === "" ? [] : [key]);
      return signIns.begin(isSecure(visit));
    },
    end(visit) {
      assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address()));
      return signIns.end(visit.request, isSecure(visit));
    },
  };
}
