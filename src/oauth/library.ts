import type {
  OAuthAuthorizationServer,
  OAuthAuthorizationServerOptions,
  OAuthErrorInternal,
  OAuthHelpers,
} from "@cloudflare/workers-oauth-provider";
import { setNewest } from "../system/newest.ts";
import type { Kv } from "./kv.ts";
import { type RelayResource, resourcesOf } from "./resource.ts";

/** What the library is given as the environment of a request. */
interface Env {
  readonly OAUTH_KV: Kv;
}

export interface LibrarySettings {
  /** How long an access token is valid, in seconds. */
  readonly tokenLifeS: number;
  /** How long a grant lasts that is not used, in seconds. */
  readonly grantIdleS: number;
  /** Takes note of why a request was refused. */
  readonly onRefused: (why: Pick<OAuthErrorInternal, "category" | "reason">) => void;
  /** Returns whether the holder of a grant may still get tokens for it. If not, the grant is removed. */
  readonly mayRefresh: (grantId: string, userId: string) => boolean;
}

/** The library as an authorization server for one relay, with the records that one request sees. */
export interface OAuthServer {
  /** Serves the metadata, the token endpoint and the registration of clients. */
  fetch(request: Request): Promise<Response>;
  readonly helpers: OAuthHelpers;
}

/** The most relays for which a server is kept. One is made in microseconds. */
const MAX_KEPT = 200;

/** The paths of the endpoints, below the origin. */
export const AUTHORIZE_PATH = "/authorize";
export const TOKEN_PATH = "/token";
export const REGISTER_PATH = "/register";
export const SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server";

/** A client that is registered and is never used is forgotten after this time. */
const REGISTRATION_LIFE_S = 90 * 24 * 60 * 60;

/** The relay for requests that name none. No id has this character. */
const NO_RELAY = "~";

export type Library = typeof import("@cloudflare/workers-oauth-provider");

/**
 * Loads the library, which a server without connector relays does not need. While it is read, it looks for a flag of Cloudflare's
 * runtime, and without the flag writes to the standard error output that it will not fetch clients' documents. This server fetches them
 * itself: see `client-documents.ts`.
 */
export async function loadLibrary(): Promise<Library> {
  Reflect.set(globalThis, "Cloudflare", { compatibilityFlags: { global_fetch_strictly_public: true } });
  try {
    return await import("@cloudflare/workers-oauth-provider");
  } finally {
    Reflect.deleteProperty(globalThis, "Cloudflare");
  }
}

/**
 * Makes the library's servers. The library knows its protected resources from the start, and relays come and go, so each relay has a
 * server of its own. All of them have the same issuer and the same records.
 */
export class OAuthServers {
  readonly #library: Library;
  readonly #settings: LibrarySettings;
  readonly #made = new Map<string, OAuthAuthorizationServer<Env>>();

  constructor(library: Library, settings: LibrarySettings) {
    this.#library = library;
    this.#settings = settings;
  }

  /** Returns the server for a relay; undefined for the id stands for requests that name no relay. */
  at(origin: string, relayId: string | undefined, kv: Kv): OAuthServer {
    const server = this.#serverFor({ origin, relayId: relayId ?? NO_RELAY });
    const env: Env = { OAUTH_KV: kv };
    return {
      // The third argument is Cloudflare's; the library hands it to handlers, of which there are none here.
      fetch: (request) => server.fetch(request, env, undefined),
      helpers: server.getOAuthApi(env),
    };
  }

  #serverFor(relay: RelayResource): OAuthAuthorizationServer<Env> {
    const name = `${relay.origin} ${relay.relayId}`;
    const made = this.#made.get(name) ?? new this.#library.OAuthAuthorizationServer<Env>(this.#optionsFor(relay));
    setNewest(this.#made, name, made, MAX_KEPT);
    return made;
  }

  #optionsFor(relay: RelayResource): OAuthAuthorizationServerOptions<Env> {
    const { tokenLifeS, grantIdleS, onRefused, mayRefresh } = this.#settings;
    const { OAuthError } = this.#library;
    return {
      issuer: relay.origin,
      resources: resourcesOf(relay),
      authorizeEndpoint: AUTHORIZE_PATH,
      tokenEndpoint: TOKEN_PATH,
      clientRegistrationEndpoint: REGISTER_PATH,
      accessTokenTTL: tokenLifeS,
      refreshTokenTTL: grantIdleS,
      refreshTokenIdleTTL: grantIdleS,
      clientRegistrationTTL: Math.max(REGISTRATION_LIFE_S, 2 * grantIdleS),
      // Programs on a person's machine have URIs such as `cursor://…`. PKCE keeps a code from others that have taken the same scheme.
      allowPrivateUseRedirectUris: true,
      tokenExchangeCallback: ({ grantId, userId }) => {
        if (mayRefresh(grantId, userId)) return;
        throw new OAuthError("invalid_grant", { description: "The key that gave this access is no longer valid" });
      },
      onError: ({ internal: { category, reason } }) => onRefused({ category, reason }),
    };
  }
}
