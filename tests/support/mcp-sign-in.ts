import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import { type Person, signInAt } from "./sign-in.ts";

/**
 * What an MCP client keeps of one sign-in, in memory, for both versions of the official SDK. The redirect goes to a scripted
 * browser at once; `callback` then has what the browser brought back.
 */
export class McpSignIn implements OAuthClientProvider {
  readonly redirectUrl = "http://127.0.0.1:33418/callback";
  /** Every URL at which the client asked its user to sign in. */
  readonly asked: URL[] = [];
  /** Every set of tokens that the client got. */
  readonly granted: StoredOAuthTokens[] = [];
  callback: URL | undefined;
  readonly #person: Person;
  readonly #metadata: Partial<OAuthClientMetadata>;
  #client: StoredOAuthClientInformation | undefined;
  #tokens: StoredOAuthTokens | undefined;
  #discovered: OAuthDiscoveryState | undefined;
  #verifier = "";
  #state = "";

  constructor(person: Person, metadata: Partial<OAuthClientMetadata> = {}) {
    this.#person = person;
    this.#metadata = metadata;
  }

  get clientMetadata(): OAuthClientMetadata {
    return {
      client_name: "Sextant",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      ...this.#metadata,
    };
  }

  state(): string {
    this.#state = crypto.randomUUID();
    return this.#state;
  }

  clientInformation(): StoredOAuthClientInformation | undefined {
    return this.#client;
  }

  saveClientInformation(client: StoredOAuthClientInformation): void {
    this.#client = client;
  }

  tokens(): StoredOAuthTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: StoredOAuthTokens): void {
    this.#tokens = tokens;
    this.granted.push(tokens);
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovered;
  }

  saveDiscoveryState(discovered: OAuthDiscoveryState): void {
    this.#discovered = discovered;
  }

  /** Replaces the access token by one that nobody has issued. */
  spoilAccessToken(): void {
    if (this.#tokens) this.#tokens = { ...this.#tokens, access_token: "nobody-has-issued-this" };
  }

  invalidateCredentials(scope: "all" | "client" | "tokens" | "verifier" | "discovery"): void {
    if (scope === "all" || scope === "tokens") this.#tokens = undefined;
    if (scope === "all" || scope === "discovery") this.#discovered = undefined;
    if (scope === "all" || scope === "client") this.#client = undefined;
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    this.asked.push(url);
    const { callback } = await signInAt(url, this.#person);
    if (callback.searchParams.get("state") !== this.#state) throw new Error("the state came back changed");
    this.callback = callback;
  }

  /** The parameters that the authorization server sent back. */
  get answer(): URLSearchParams {
    if (!this.callback) throw new Error("the browser has not come back");
    return this.callback.searchParams;
  }
}
