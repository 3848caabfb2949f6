import type { AnyElysia } from "elysia";
import { ConnectPage, ConnectRefusedPage } from "../../views/connect.tsx";
import type { PageAssets } from "../../views/layout.tsx";
import { Fault } from "../errors.ts";
import { REFUSAL } from "../http/route-methods.ts";
import type { Visit } from "../http/visit.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Consent, ConsentAnswer } from "./consent.ts";
import type { Endpoints } from "./endpoints.ts";
import { AUTHORIZE_PATH, REGISTER_PATH, SERVER_METADATA_PATH, TOKEN_PATH } from "./library.ts";
import { AUTHORIZE_DETAIL, DECIDE_DETAIL, METADATA_DETAIL, REGISTER_DETAIL, TOKEN_DETAIL } from "./openapi.ts";

export interface OAuthRouteOptions {
  readonly consent: Consent;
  readonly endpoints: Endpoints;
  /** Whether anybody can sign in for anything here. Without it, the routes answer as if they did not exist. */
  readonly isInUse: () => boolean;
  /** Counts a page of consent that is opened. Returns the seconds after which another one is, if there were too many from this address. */
  readonly countPage?: ((visit: Visit) => number | undefined) | undefined;
  /** Whether a relay has this id for which people sign in here. */
  readonly isConnector: (relayId: string) => boolean;
  /** The issuer by which callers sign in. */
  readonly issuer: () => string | undefined;
  readonly assets: () => PageAssets;
  readonly page: (request: Request, html: string, status?: number) => Response;
}

/** The path of the metadata for the URL of one relay, which some clients ask for first. */
const FOR_RELAY = `${SERVER_METADATA_PATH}/api/mcp/id/:relay_id`;

const OTHER_METHOD = { parse: "none", detail: REFUSAL } as const;
const TOO_MANY_PAGES =
  "Too many programs have sent people here from this address. Try again after the time in Retry-After.";

/** The routes by which programs get access to connector relays. */
export function oauthRoutes(options: OAuthRouteOptions): AnyElysia {
  const { consent, endpoints, isInUse, isConnector } = options;
  const assertUsed = (): void => {
    if (!isInUse()) throw new Fault("unknown_url", { message: "No MCP server here lets callers sign in." });
  };
  const whenUsed = (visit: Visit, serve: (visit: Visit) => Promise<Response>): Promise<Response> => {
    assertUsed();
    return serve(visit);
  };
  const describe = (visit: Visit, relayId: string | undefined): Promise<Response> => {
    if (!isConnector(relayId ?? ""))
      throw new Fault("unknown_url", { message: "This relay has no authorization server here." });
    return endpoints.describe(visit);
  };
  // Each page creates a record and may make the server fetch a document, before anybody has proven anything.
  const ask = (visit: Visit): Promise<ConsentAnswer> => {
    const retryAfterS = options.countPage?.(visit);
    if (retryAfterS === undefined) return consent.ask(visit);
    throw new Fault("too_many_requests", { message: TOO_MANY_PAGES, retryAfterS });
  };
  /** Refuses another method, where there is anything at all. */
  const refuse = (allow: string) => (): never => {
    assertUsed();
    throw new Fault("method_not_allowed", { headers: { allow } });
  };
  const pageOf = async (visit: Visit, answered: Promise<ConsentAnswer>): Promise<Response> =>
    toResponse(visit.request, await answered, options);
  return createRoutes()
    .get(SERVER_METADATA_PATH, ({ visit }) => whenUsed(visit, endpoints.describe), { detail: METADATA_DETAIL })
    .get(FOR_RELAY, ({ visit, params }) => describe(visit, params["relay_id"]), { detail: { hide: true } })
    .get(`${FOR_RELAY}/mcp`, ({ visit, params }) => describe(visit, params["relay_id"]), { detail: { hide: true } })
    .get(AUTHORIZE_PATH, ({ visit }) => whenUsed(visit, () => pageOf(visit, ask(visit))), {
      detail: AUTHORIZE_DETAIL,
    })
    .post(AUTHORIZE_PATH, ({ visit }) => whenUsed(visit, () => pageOf(visit, consent.decide(visit))), {
      parse: "none",
      detail: DECIDE_DETAIL,
    })
    .post(TOKEN_PATH, ({ visit }) => whenUsed(visit, endpoints.token), { parse: "none", detail: TOKEN_DETAIL })
    .post(REGISTER_PATH, ({ visit }) => whenUsed(visit, endpoints.register), {
      parse: "none",
      detail: REGISTER_DETAIL,
    })
    .all(SERVER_METADATA_PATH, refuse("GET, HEAD, OPTIONS"), OTHER_METHOD)
    .all(FOR_RELAY, refuse("GET, HEAD, OPTIONS"), OTHER_METHOD)
    .all(`${FOR_RELAY}/mcp`, refuse("GET, HEAD, OPTIONS"), OTHER_METHOD)
    .all(AUTHORIZE_PATH, refuse("GET, HEAD, POST, OPTIONS"), OTHER_METHOD)
    .all(TOKEN_PATH, refuse("POST, OPTIONS"), OTHER_METHOD)
    .all(REGISTER_PATH, refuse("POST, OPTIONS"), OTHER_METHOD);
}

/** Turns what a person's browser gets into a response. */
export function toResponse(
  request: Request,
  answer: ConsentAnswer,
  { page, assets, issuer }: Pick<OAuthRouteOptions, "page" | "assets" | "issuer">,
): Response {
  switch (answer.kind) {
    case "redirect": {
      const headers = new Headers(answer.headers);
      headers.set("location", answer.to);
      headers.set("cache-control", "no-store");
      // The URL has the code, and the page that it leads to must not learn from where it was sent.
      headers.set("referrer-policy", "no-referrer");
      // 303: the browser must not send the key on.
      return new Response(null, { status: 303, headers });
    }
    case "ask": {
      const html = ConnectPage({ assets: assets(), facts: answer.facts, issuer: issuer() });
      return framed(page(request, html, answer.status), answer.headers);
    }
    case "refused":
      return framed(
        page(request, ConnectRefusedPage({ assets: assets(), text: answer.text, back: answer.back }), answer.status),
      );
  }
}

/**
 * Adds the cookies of a consent to its page. Browsers apply `form-action` to the redirects that follow a form, also to those on
 * the client's own site, which are not known here. The page has nothing that could add another form to it.
 */
function framed(response: Response, headers?: Headers): Response {
  for (const cookie of headers?.getSetCookie() ?? []) response.headers.append("set-cookie", cookie);
  const policy = response.headers.get("content-security-policy") ?? "";
  response.headers.set("content-security-policy", policy.replace(/form-action [^;]*; ?/, ""));
  response.headers.set("x-frame-options", "DENY");
  // The address of the page has the client's state.
  response.headers.set("referrer-policy", "same-origin");
  return response;
}
