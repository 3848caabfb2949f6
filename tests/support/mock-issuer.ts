import type { Server } from "bun";
import type { Config } from "./default-config.ts";

/** The client that the mock issuer knows. */
export const OIDC_CLIENT = { id: "moorage", secret: "b7c1f0a93e5d4826b7c1f0a93e5d4826" } as const;

/** How the mock signs the next ID token: with its key, with one that it does not publish, by the client's secret, or not. */
export type Signing = "right" | "unpublished" | "secret" | "none";

/** A code that was given out for one sign-in. */
interface Grant {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

interface Pair {
  readonly kid: string;
  readonly keys: CryptoKeyPair;
}

/**
 * A mock of an OpenID Connect issuer, for tests alone. It signs in everyone who asks, without a password, and makes the mistakes
 * that a test asks for. It checks what a real issuer checks at its token endpoint: client, code, redirect address and code
 * verifier, each code once.
 */
export class MockIssuer {
  /** What it says about its only user, beside what every ID token has. */
  user: Record<string, unknown> = {
    sub: "u-1",
    email: "ada@example.com",
    email_verified: true,
    groups: ["gpu-admins"],
  };
  /** Replaces members of the ID token; undefined removes one. */
  idToken: Record<string, unknown> = {};
  /** Told by the userinfo endpoint alone; undefined for an issuer without that endpoint. */
  userInfo: Record<string, unknown> | undefined;
  signing: Signing = "right";
  /** Replaces the parameters with which browsers come back. */
  callback: Record<string, string | undefined> = {};
  /** Replaces members of the discovery document. */
  metadata: Record<string, unknown> = {};
  /** Replaces every answer, such as by one of a proxy before the issuer. */
  instead: ((request: Request) => Response | undefined) | undefined;
  /** The paths that were requested. */
  readonly requests: string[] = [];
  readonly #server: Server<undefined>;
  readonly #grants = new Map<string, Grant>();
  readonly #host: string;
  #pair: Pair;
  readonly #unpublished: Pair;

  private constructor(pair: Pair, unpublished: Pair, host: string, port: number) {
    this.#pair = pair;
    this.#unpublished = unpublished;
    this.#host = host;
    this.#server = Bun.serve({ port, hostname: "127.0.0.1", fetch: (request) => this.#answer(request) });
  }

  static async start({ host = "127.0.0.1", port = 0 } = {}): Promise<MockIssuer> {
    return new MockIssuer(await makePair("k1"), await makePair("k1"), host, port);
  }

  get url(): string {
    return `http://${this.#host}:${this.#server.port}`;
  }

  /** Settings of a server that signs operators in by this issuer. */
  get settings(): Partial<Config> {
    return {
      oidcIssuer: this.url,
      oidcClientId: OIDC_CLIENT.id,
      oidcClientSecret: OIDC_CLIENT.secret,
      oidcAdminClaims: [{ claim: "groups", value: "gpu-admins" }],
      oidcViewerClaims: [{ claim: "groups", value: "gpu-viewers" }],
    };
  }

  /** Signs with another key from now on, and publishes only that. */
  async rotateKey(): Promise<void> {
    this.#pair = await makePair("k2");
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(url.pathname);
    const instead = this.instead?.(request);
    if (instead) return instead;
    if (url.pathname === "/.well-known/openid-configuration") return Response.json(this.#describe());
    if (url.pathname === "/jwks") return Response.json({ keys: [await publicKeyOf(this.#pair)] });
    if (url.pathname === "/authorize") return this.#authorize(url.searchParams);
    if (url.pathname === "/token") return this.#exchange(request);
    if (url.pathname === "/userinfo" && request.headers.get("authorization") === "Bearer mock-access-token")
      return Response.json({ sub: this.user["sub"], ...this.userInfo });
    return new Response(null, { status: 404 });
  }

  #describe(): object {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      jwks_uri: `${this.url}/jwks`,
      ...(this.userInfo && { userinfo_endpoint: `${this.url}/userinfo` }),
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      code_challenge_methods_supported: ["S256"],
      scopes_supported: ["openid", "email", "groups", "offline_access"],
      ...this.metadata,
    };
  }

  #authorize(given: URLSearchParams): Response {
    const code = crypto.randomUUID();
    const of = (name: string): string => given.get(name) ?? "";
    this.#grants.set(code, {
      nonce: of("nonce"),
      challenge: of("code_challenge_method") === "S256" ? of("code_challenge") : "",
      redirectUri: of("redirect_uri"),
    });
    const back = new URL(of("redirect_uri"));
    const parameters = { code, state: of("state"), iss: this.url, ...this.callback };
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) back.searchParams.set(name, value);
    return new Response(null, { status: 303, headers: { location: back.href } });
  }

  async #exchange(request: Request): Promise<Response> {
    const refuse = (error: string, status = 400): Response => Response.json({ error }, { status });
    const { id, secret } = OIDC_CLIENT;
    const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
    if (request.headers.get("authorization") !== basic) return refuse("invalid_client", 401);
    const form = new URLSearchParams(await request.text());
    const code = form.get("code") ?? "";
    const grant = this.#grants.get(code);
    this.#grants.delete(code);
    const challenge = new Bun.CryptoHasher("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (!grant || grant.challenge !== challenge || grant.redirectUri !== form.get("redirect_uri"))
      return refuse("invalid_grant");
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.url, aud: id, iat: now, exp: now + 300, nonce: grant.nonce, ...this.user };
    const idToken = await this.#sign({ ...claims, ...this.idToken });
    return Response.json({
      access_token: "mock-access-token",
      token_type: "Bearer",
      expires_in: 300,
      id_token: idToken,
    });
  }

  async #sign(claims: object): Promise<string> {
    const { signing } = this;
    const algorithm = { right: "RS256", unpublished: "RS256", secret: "HS256", none: "none" }[signing];
    const { kid, keys } = signing === "unpublished" ? this.#unpublished : this.#pair;
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: algorithm, kid })}.${part(claims)}`;
    if (signing === "none") return `${text}.`;
    if (signing === "secret")
      return `${text}.${new Bun.CryptoHasher("sha256", OIDC_CLIENT.secret).update(text).digest("base64url")}`;
    const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", keys.privateKey, Buffer.from(text));
    return `${text}.${Buffer.from(signature).toString("base64url")}`;
  }
}

async function makePair(kid: string): Promise<Pair> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  return { kid, keys: await crypto.subtle.generateKey({ ...algorithm, hash: "SHA-256" }, true, ["sign", "verify"]) };
}

async function publicKeyOf({ kid, keys }: Pair): Promise<object> {
  return { ...(await crypto.subtle.exportKey("jwk", keys.publicKey)), kid, use: "sig", alg: "RS256" };
}
