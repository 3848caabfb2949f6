import { Fault } from "../../src/errors.ts";
import { createVisit, type Visit } from "../../src/http/visit.ts";
import type { ConnectorRelay, Holder, HolderAccess } from "../../src/oauth/connector.ts";
import { createConsent } from "../../src/oauth/consent.ts";
import { createEndpoints } from "../../src/oauth/endpoints.ts";
import { OAuth, type OAuthOptions } from "../../src/oauth/oauth.ts";
import { oauthRoutes } from "../../src/oauth/routes.ts";
import { silentLog } from "../../src/system/log.ts";
import { authorizationRequest } from "./authorization-request.ts";
import { FakeClock } from "./fake-clock.ts";

export const ORIGIN = "http://127.0.0.1";
export const REDIRECT_URI = "http://127.0.0.1:33418/callback";
export const KEY = "the-key-of-ann";

export const ANN: Holder = { kind: "key", owner: "made:ann", keyId: "ann", name: "key:ann" };

/** A browser's cookies, as far as one origin is concerned. */
export class Cookies {
  readonly #values = new Map<string, string>();

  take(response: Response): Response {
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/i.test(cookie)) this.#values.delete(name);
      else this.#values.set(name, value);
    }
    return response;
  }

  get header(): string {
    return Array.from(this.#values, ([name, value]) => `${name}=${value}`).join("; ");
  }
}

/** The tokens in an answer of the token endpoint. */
export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly resource: string;
}

export interface Begun {
  readonly clientId: string;
  readonly verifier: string;
  readonly resource: string;
  readonly cookies: Cookies;
}

/** The authorization server without sockets, with relays and keys that the test chooses. */
export class OAuthRig {
  readonly clock: FakeClock;
  readonly oauth: OAuth;
  readonly relays = new Map<string, ConnectorRelay>([
    ["files", { id: "files", name: "Ann's files", restricts: true, tenants: undefined }],
    ["mail", { id: "mail", name: "", restricts: true, tenants: undefined }],
  ]);
  readonly keys = new Map<string, Holder>([[KEY, ANN]]);
  /** What a holder may use; everything unless set. */
  access: (holder: Holder, relay: ConnectorRelay) => HolderAccess = () => ({ kind: "allowed", rules: undefined });
  readonly endedGrants: string[] = [];
  /** The ids of the grants that people gave. */
  readonly allowed: string[] = [];
  readonly #handle: (request: Request) => Promise<Response>;

  constructor(options: Partial<OAuthOptions> = {}, clock = new FakeClock()) {
    this.clock = clock;
    const rig = this;
    this.oauth = new OAuth({
      clock,
      log: silentLog,
      tokenLifeMs: 60 * 60_000,
      grantIdleMs: 30 * 24 * 60 * 60_000,
      issuer: undefined,
      relays: () => ({
        get isAny() {
          return rig.relays.size > 0;
        },
        find: (id) => this.relays.get(id),
        endGrant: (id) => void this.endedGrants.push(id),
      }),
      holders: () => ({
        holderOf: (_, key) => {
          const holder = this.keys.get(key);
          if (!holder) throw new Fault("invalid_api_key");
          return holder;
        },
        accessOf: (holder, relay) => this.access(holder, relay),
      }),
      ...options,
    });
    const { oauth } = this;
    const onAllowed = (_: Visit, id: string): void => void this.allowed.push(id);
    const originOf = (visit: Visit): string => new URL(visit.request.url).origin;
    const routes = oauthRoutes({
      consent: createConsent({
        oauth,
        clock,
        originOf,
        assertOwnPage: () => {},
        onAllowed,
        toIssuer: async () => undefined,
      }),
      endpoints: createEndpoints({ oauth, clock, originOf, countRegistration: () => undefined }),
      isInUse: () => oauth.isInUse,
      isConnector: (id) => this.relays.has(id),
      issuer: () => undefined,
      assets: () => ({ theme: "", script: "", preloads: [], styles: [] }),
      page: (_, html, status = 200) => new Response(html, { status, headers: { "content-type": "text/html" } }),
    });
    const elysia = routes.onRequest((context) => {
      context.visit = createVisit(context.request, "request", { addressOf: () => "127.0.0.1" });
    });
    elysia.onError(({ error }) =>
      error instanceof Fault ? Response.json({ error: error.code }, { status: error.status }) : undefined,
    );
    this.#handle = async (request) => await elysia.handle(request);
  }

  /** Sends a request to the server. */
  handle(path: string, init: RequestInit = {}): Promise<Response> {
    return this.#handle(new Request(`${ORIGIN}${path}`, { redirect: "manual", ...init }));
  }

  form(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    return this.handle(path, {
      method: "POST",
      body: new URLSearchParams(fields).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    });
  }

  async register(more: object = {}): Promise<string> {
    const metadata = {
      redirect_uris: [REDIRECT_URI],
      client_name: "Test client",
      token_endpoint_auth_method: "none",
      ...more,
    };
    const headers = { "content-type": "application/json" };
    const answer = await this.handle("/register", { method: "POST", body: JSON.stringify(metadata), headers });
    const { client_id: id } = (await answer.json()) as { client_id: string }; // RFC 7591
    return id;
  }

  /** Opens the page of consent. `more` changes the parameters of the request; an empty one is left out. */
  async open(more: Record<string, string> = {}): Promise<Begun & { readonly page: Response }> {
    const clientId = more["client_id"] ?? (await this.register());
    const resource = `${ORIGIN}/api/mcp/id/files/mcp`;
    const { verifier, parameters: usual } = authorizationRequest(clientId, REDIRECT_URI, resource);
    const parameters = { ...usual, resource, ...more };
    const given = Object.entries(parameters).filter(([, value]) => value !== "");
    const cookies = new Cookies();
    const page = cookies.take(await this.handle(`/authorize?${new URLSearchParams(given)}`));
    return { clientId, verifier, resource: parameters.resource, cookies, page };
  }

  /** Sends the form of a page. Returns the answer. */
  async decide(cookies: Cookies, html: string, fields: Record<string, string> = {}): Promise<Response> {
    const handle = handleIn(html);
    const form = { handle, decision: "allow", key: KEY, ...fields };
    return cookies.take(await this.form("/authorize", form, { cookie: cookies.header }));
  }

  /** Lets a client in with the key. Returns the URL to which the browser is sent. */
  async allow(more: Record<string, string> = {}): Promise<Begun & { readonly back: URL; readonly code: string }> {
    const { page, ...begun } = await this.open(more);
    const answer = await this.decide(begun.cookies, await page.text());
    const back = new URL(answer.headers.get("location") ?? "");
    return { ...begun, back, code: back.searchParams.get("code") ?? "" };
  }

  /** Exchanges a code. */
  exchange(
    { clientId, verifier, resource }: Begun,
    code: string,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const fields = {
      grant_type: "authorization_code",
      code,
      client_id: clientId,
      code_verifier: verifier,
      redirect_uri: REDIRECT_URI,
      resource,
      ...more,
    };
    const given = Object.entries(fields).filter(([, value]) => value !== "");
    return this.form("/token", Object.fromEntries(given));
  }

  refresh(clientId: string, refreshToken: string, more: Record<string, string> = {}): Promise<Response> {
    return this.form("/token", {
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: clientId,
      ...more,
    });
  }

  /** Lets a client in and gets its tokens. */
  async signIn(more: Record<string, string> = {}): Promise<Begun & { readonly tokens: Tokens }> {
    const { code, ...begun } = await this.allow(more);
    const answer = await this.exchange(begun, code);
    if (!answer.ok) throw new Error(await answer.text());
    return { ...begun, tokens: (await answer.json()) as Tokens }; // the type has what RFC 6749 demands
  }

  verify(token: string, relay = "files"): ReturnType<OAuth["verify"]> {
    return this.oauth.verify(`${ORIGIN}/api/mcp/id/${relay}/mcp`, token);
  }
}

/** Returns the handle in the form of a page of consent. */
export function handleIn(html: string): string {
  return /name="handle" value="([^"]+)"/.exec(html)?.[1] ?? "";
}
