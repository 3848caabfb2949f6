import * as client from "openid-client";
import {
  type Claims,
  IdentityFault,
  type IdentityFlow,
  type IdentityProblem,
  type IdentityProvider,
} from "../auth/identity-provider.ts";
import type { CancelTimer, Deps } from "../system/deps.ts";
import { toIdentityFault, UnreachableError } from "./issuer-error.ts";

export interface IssuerOptions {
  /** The issuer's URL. With http it MUST be one of this machine. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  /** The names of the claims that decide about roles. */
  readonly claims: readonly string[];
}

/** How long one request to the issuer may take. */
const TIMEOUT_S = 10;
/** The longest response of an issuer. Discovery documents and key sets have a few kilobytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** How often an issuer that does not answer is asked again. */
const RETRY_MS = 30_000;
/** How often the metadata of one that answers is fetched again. */
const REFRESH_MS = 10 * 60_000;
/** How soon a sign-in may ask again an issuer that has just not answered. */
const PAUSE_MS = 2000;
/** The most sign-ins that are checked at once. Anybody may begin one. */
const MAX_CHECKS = 16;
/** How far the issuer's clock and this server's may be apart, in seconds. */
const CLOCKS_APART_S = 30;

/** Scopes for the claims on which roles usually depend. Only those that the issuer lists are requested. */
const USUAL_SCOPES = ["profile", "email", "groups"];

/** Creates the client of an issuer. It fetches the issuer's metadata immediately, and again from time to time. */
export function openIssuer(options: IssuerOptions, deps: Pick<Deps, "clock" | "log">): IdentityProvider {
  return new Issuer(options, deps);
}

/**
 * An OpenID Connect issuer, with the authorization code flow and PKCE. This is the only part of the server that connects to
 * the issuer: at the URL in the configuration and at those in the issuer's metadata. Nothing in a request to this server
 * changes these, and redirects are not followed.
 */
class Issuer implements IdentityProvider {
  readonly name: string;
  readonly #options: IssuerOptions;
  readonly #deps: Pick<Deps, "clock" | "log">;
  readonly #stop: CancelTimer;
  #metadata: client.ServerMetadata | undefined;
  /** The request for the metadata that is in progress. */
  #asking: Promise<client.ServerMetadata> | undefined;
  #askedAt = 0;
  #checks = 0;
  /** Why the issuer could not be reached; undefined if it could. */
  #unreachable: string | undefined;
  /** Why the issuer does not accept this server; undefined if it does, as far as is known. */
  #refused: string | undefined;

  constructor(options: IssuerOptions, deps: Pick<Deps, "clock" | "log">) {
    this.name = new URL(options.issuer).host;
    this.#options = options;
    this.#deps = deps;
    this.#ask().catch(() => {});
    this.#stop = deps.clock.every(RETRY_MS, () => {
      const isDue = deps.clock.elapsed() - this.#askedAt >= REFRESH_MS;
      if (isDue || !this.#metadata || this.#unreachable !== undefined) this.#ask().catch(() => {});
    });
  }

  get problem(): IdentityProblem | undefined {
    if (this.#unreachable !== undefined) return { code: "oidc_unreachable", detail: this.#unreachable };
    return this.#refused === undefined ? undefined : { code: "oidc_refused", detail: this.#refused };
  }

  async begin(redirectUri: string): Promise<{ readonly url: string; readonly flow: IdentityFlow }> {
    const metadata = await this.#known();
    const flow = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    };
    const url = client.buildAuthorizationUrl(this.#configure(metadata), {
      redirect_uri: redirectUri,
      scope: this.#scopeFor(metadata),
      code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: "S256",
      state: flow.state,
      nonce: flow.nonce,
    });
    return { url: url.href, flow };
  }

  async finish(callback: URL, flow: IdentityFlow, isEnough: (claims: Claims) => boolean): Promise<Claims> {
    const metadata = await this.#known();
    if (this.#checks >= MAX_CHECKS) throw new IdentityFault("busy", "too many sign-ins at once");
    this.#checks += 1;
    try {
      const claims = await this.#check(metadata, callback, flow, isEnough);
      this.#unreachable = undefined;
      this.#refused = undefined;
      return claims;
    } catch (error) {
      const fault = toIdentityFault(error);
      if (fault.reason === "unreachable") this.#unreachable = fault.detail ?? "no answer";
      if (fault.reason === "refused") this.#refused = fault.detail ?? "no reason";
      throw fault;
    } finally {
      this.#checks -= 1;
    }
  }

  close(): void {
    this.#stop();
  }

  async #check(
    metadata: client.ServerMetadata,
    callback: URL,
    { state, nonce, verifier }: IdentityFlow,
    isEnough: (claims: Claims) => boolean,
  ): Promise<Claims> {
    // A new configuration has no key set yet, so a key that the issuer has withdrawn does not count and a new one does.
    const configuration = this.#configure(metadata);
    const tokens = await client.authorizationCodeGrant(configuration, callback, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (!claims) throw new IdentityFault("invalid", "no ID token");
    if (isEnough(claims) || metadata.userinfo_endpoint === undefined) return claims;
    // Some issuers return groups and email addresses only there.
    const more = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
    return { ...claims, ...more };
  }

  /** Returns the issuer's metadata, and fetches it unless it is known. Throws `IdentityFault`. */
  async #known(): Promise<client.ServerMetadata> {
    if (this.#metadata) return this.#metadata;
    const isRecent = this.#deps.clock.elapsed() - this.#askedAt < PAUSE_MS;
    if (this.#unreachable !== undefined && isRecent && !this.#asking)
      throw new IdentityFault("unreachable", this.#unreachable);
    return this.#ask();
  }

  #ask(): Promise<client.ServerMetadata> {
    this.#asking ??= this.#discover().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #discover(): Promise<client.ServerMetadata> {
    const { log, clock } = this.#deps;
    this.#askedAt = clock.elapsed();
    try {
      const metadata = await this.#readMetadata();
      if (!this.#metadata || this.#unreachable !== undefined) log.info("oidc.ready", { issuer: this.name });
      this.#metadata = metadata;
      this.#unreachable = undefined;
      return metadata;
    } catch (error) {
      const { detail = "no answer" } = toIdentityFault(error);
      if (this.#unreachable !== detail) log.warn("oidc.unreachable", { issuer: this.name, reason: detail });
      this.#unreachable = detail;
      throw new IdentityFault("unreachable", detail, error);
    }
  }

  async #readMetadata(): Promise<client.ServerMetadata> {
    const { issuer, clientId } = this.#options;
    const found = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
      [client.customFetch]: boundedFetch,
      timeout: TIMEOUT_S,
      execute: this.#extensions(),
    });
    const metadata = found.serverMetadata();
    // The client accepts any tenant of a multi-tenant issuer, and each tenant could give anybody the right claims.
    if (withoutSlash(metadata.issuer) !== withoutSlash(issuer))
      throw new IdentityFault("unreachable", `it calls itself ${metadata.issuer}, which is not OIDC_ISSUER`);
    for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const)
      if (metadata[name] === undefined) throw new IdentityFault("unreachable", `its description has no ${name}`);
    return metadata;
  }

  #configure(metadata: client.ServerMetadata): client.Configuration {
    const { clientId, clientSecret } = this.#options;
    const more = { [client.clockTolerance]: CLOCKS_APART_S };
    const configuration = new client.Configuration(metadata, clientId, more, authenticate(metadata, clientSecret));
    configuration.timeout = TIMEOUT_S;
    configuration[client.customFetch] = boundedFetch;
    // Without this, the client trusts an ID token because of the connection that it came over.
    client.enableNonRepudiationChecks(configuration);
    for (const extend of this.#extensions()) extend(configuration);
    return configuration;
  }

  /** An issuer on this machine may use http. */
  #extensions(): ((configuration: client.Configuration) => void)[] {
    return this.#options.issuer.startsWith("http:") ? [client.allowInsecureRequests] : [];
  }

  #scopeFor({ scopes_supported: listed }: client.ServerMetadata): string {
    if (!listed) return "openid profile email";
    const wanted = new Set([...USUAL_SCOPES, ...this.#options.claims]);
    return ["openid", ...[...wanted].filter((scope) => listed.includes(scope))].join(" ");
  }
}

/** Returns how this server authenticates to the issuer: in the body if the issuer lists that, else in a header. */
function authenticate(
  { token_endpoint_auth_methods_supported: listed = [] }: client.ServerMetadata,
  secret: string | undefined,
): client.ClientAuth {
  if (secret === undefined) return client.None();
  return listed.includes("client_secret_post") ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, "");
}

/** Sends one request to the issuer. Throws `UnreachableError` if there is no response, or if it is too long. */
async function boundedFetch(url: string, options: client.CustomFetchOptions): Promise<Response> {
  try {
    const { body, method, headers, signal } = options;
    const answer = await fetch(url, {
      method,
      headers,
      redirect: "manual",
      body: body ?? null,
      signal: signal ?? null,
    });
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of answer.body ?? []) {
      bytes += part.byteLength;
      if (bytes > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
      parts.push(part);
    }
    const isEmpty = [204, 205, 304].includes(answer.status);
    return new Response(isEmpty ? null : Buffer.concat(parts), { status: answer.status, headers: answer.headers });
  } catch (error) {
    throw new UnreachableError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
