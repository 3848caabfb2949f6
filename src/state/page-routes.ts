import type { AnyElysia } from "elysia";
import { type LaterSection, oldSections, type SectionPlugin } from "../../views/sections.tsx";
import { SignInPage } from "../../views/signin.tsx";
import { StatePage } from "../../views/state.tsx";
import type { Auth } from "../auth/auth.ts";
import type { Config } from "../config.ts";
import { Fault } from "../errors.ts";
import { readBody } from "../http/body.ts";
import { errorResponses, rawAnswer } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Deps } from "../system/deps.ts";
import type { Assets } from "./assets.ts";
import type { ClusterState } from "./cluster-state.ts";
import { type LetIn, oidcRoutes } from "./oidc-routes.ts";
import { page } from "./page.ts";
import { askedPage, pageAfter } from "./return-to.ts";
import type { ServerState } from "./server-state.ts";

export interface PageOptions {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: Auth;
  readonly version: string;
  /** Returns the files that pages load. */
  readonly assets: () => Assets;
  /** See `OidcRouteOptions`. */
  readonly letIn?: LetIn | undefined;
  /** The sections after the overview, in their order. */
  readonly sections: readonly LaterSection[];
  readonly plugins: readonly SectionPlugin[];
  /** Returns the State API's account of the whole server. */
  readonly server: () => ServerState;
  /** Returns the state of the cluster; undefined without a cluster. */
  readonly cluster: () => ClusterState | undefined;
}

/** The longest sign-in form. Keys are far shorter. */
const MAX_FORM_BYTES = 4096;

/** How long a form without a declared length may take. A key fits in one packet. */
const SIGN_IN_TIMEOUT_MS = 10_000;

/**
 * Routes of `/state` for people: the sign-in form, or the state. Pages are whole Responses with their own content type,
 * without Elysia's HTML plugin, which hooks into every route and takes any text that begins with `<` for a page.
 */
export function pageRoutes(options: PageOptions): AnyElysia {
  const { deps, auth, version, sections, server, cluster, assets } = options;

  const showState = (request: Request, mayAct: boolean): Response => {
    const state = server();
    const inCluster = cluster();
    return page(
      request,
      StatePage({
        version,
        canSignOut: auth.signIns.keyKind !== undefined || auth.oidc !== undefined,
        mayAct,
        hasKeys: !auth.isOpen("api"),
        assets: assets().page,
        boot: insideScript(JSON.stringify(state)),
        cluster: inCluster && insideScript(JSON.stringify(inCluster)),
        problems: state.problems,
        sections,
        kinds: Object.fromEntries(options.plugins.flatMap(({ id, section }) => (section ? [[id, section.label]] : []))),
        oldSections: oldSections(options.plugins),
      }),
    );
  };
  const showSignIn = (request: Request, status: number, problem?: string, to = "/state"): Response => {
    const { oidc } = auth;
    const issuer = oidc && {
      name: oidc.issuer,
      href: `${oidc.origin}/state/oidc/sign-in?to=${encodeURIComponent(to)}`,
    };
    const html = SignInPage({ assets: assets().page, problem, keyKind: auth.signIns.keyKind, issuer, to });
    return page(request, html, status);
  };

  /** Returns the form's text for a failed sign-in; undefined for an error that the form does not show. */
  const problemText = ({ code, message }: Fault): string | undefined => {
    if (code === "invalid_api_key") return `This is not a valid ${auth.signIns.keyKind ?? "API"} key.`;
    if (code === "key_expired" || code === "key_revoked" || code === "key_rotated") return message;
    if (code !== "too_many_auth_failures") return undefined;
    return "This key is not valid, and too many wrong keys came from this address. Enter a valid key, or wait a minute.";
  };

  return createRoutes()
    .get(
      "/state",
      ({ visit }) => {
        const { request } = visit;
        let mayAct: boolean;
        try {
          ({ mayAct } = auth.operators.read(visit));
        } catch (error) {
          // A browser that is refused for its key has not signed in yet. Signing in helps against no other refusal.
          if (error instanceof Fault && problemText(error) !== undefined)
            return showSignIn(request, 200, undefined, askedPage(request));
          throw error;
        }
        return showState(request, mayAct);
      },
      {
        detail: {
          tags: ["State"],
          summary: "Page that shows the state",
          description:
            "Asks for a key in a form, unless the browser is signed in: an admin key, or an API key where the server has no admin keys. With `OIDC_ISSUER`, it also leads to the issuer.",
          security: [],
          responses: {
            200: rawAnswer("text/html", "The state, or the sign-in form."),
            ...errorResponses("origin_not_allowed", "host_not_allowed", "method_not_allowed"),
          },
        },
      },
    )
    .post(
      "/state/sign-in",
      async ({ visit }) => {
        const { request } = visit;
        let to: string | undefined;
        try {
          // Anybody may call this route, so it reads little, and not for long.
          const body = await readBody(request, {
            maxBytes: MAX_FORM_BYTES,
            timeoutMs: SIGN_IN_TIMEOUT_MS,
            clock: deps.clock,
            liftIdleTimeout: () => {},
          });
          const form = new URLSearchParams(new TextDecoder().decode(body));
          to = pageAfter(form.get("to"));
          return redirect(auth.signIns.begin(visit, (form.get("key") ?? "").trim()), to);
        } catch (error) {
          if (!(error instanceof Fault) || problemText(error) === undefined) throw error;
          const answer = showSignIn(request, error.status, problemText(error), to);
          if (error.retryAfterS !== undefined) answer.headers.set("retry-after", String(error.retryAfterS));
          return answer;
        }
      },
      {
        parse: "none",
        detail: {
          tags: ["State"],
          summary: "Sign in to the dashboard",
          description: "Takes the form of the page. The cookie opens the State API only.",
          security: [],
          requestBody: {
            required: true,
            content: {
              "application/x-www-form-urlencoded": {
                schema: {
                  type: "object",
                  properties: { key: { type: "string" }, to: { type: "string" } },
                  required: ["key"],
                },
              },
            },
          },
          responses: {
            303: { description: "Signed in: the cookie, and the address of the page." },
            401: rawAnswer("text/html", "The form, which says that the key is not valid."),
            429: rawAnswer("text/html", "The form, which says that too many wrong keys came from this address."),
            ...errorResponses("origin_not_allowed", "request_too_large", "request_timeout"),
          },
        },
      },
    )
    .post("/state/sign-out", ({ visit }) => redirect(auth.signIns.end(visit)), {
      parse: "none",
      detail: {
        tags: ["State"],
        summary: "Sign out of the dashboard",
        security: [],
        responses: {
          303: { description: "Signed out: the address of the form." },
          ...errorResponses("origin_not_allowed"),
        },
      },
    })
    .use(oidcRoutes({ auth, showSignIn, assets: () => assets().page, letIn: options.letIn }))
    .get("/state/assets/:hash/:name", ({ visit, params }) => assets().serve(visit.request, params.hash, params.name), {
      detail: { hide: true },
    });
}

/** Escapes JSON so that it cannot end the script element around it, whatever names workers choose. */
function insideScript(json: string): string {
  return json.replace(/[<\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Answers 303, so that the browser continues with GET and a reload does not send the key again. */
function redirect(cookie: string, to = "/state"): Response {
  return new Response(null, {
    status: 303,
    headers: { location: to, "set-cookie": cookie, "cache-control": "no-store" },
  });
}
