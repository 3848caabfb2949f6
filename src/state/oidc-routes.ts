import type { AnyElysia } from "elysia";
import type { PageAssets } from "../../views/layout.tsx";
import { OnwardPage } from "../../views/onward.tsx";
import type { Auth } from "../auth/auth.ts";
import { IdentityFault, type IdentityReason } from "../auth/identity-provider.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import { errorResponses, rawAnswer } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { page } from "./page.ts";
import { pageAfter } from "./return-to.ts";

export interface OidcRouteOptions {
  readonly auth: Pick<Auth, "oidc">;
  /** Answers with the sign-in page, which says what has gone wrong. */
  readonly showSignIn: (request: Request, status: number, problem?: string, to?: string) => Response;
  readonly assets: () => PageAssets;
  /** Goes on for somebody who lets a program in and has signed in. Absent on a server whose relays need no sign-in. */
  readonly letIn?: LetIn | undefined;
}

/** What the issuer says about somebody who lets a program in. */
export interface SignedInCaller {
  /** Opens what goes on, once and in the browser that began. */
  readonly resume: string;
  readonly subject: string;
  readonly name: string;
}

export type LetIn = (visit: Visit, caller: SignedInCaller) => Promise<Response>;

/** The status and the text of the sign-in page for each reason why a sign-in has failed. */
const FAILURES: Readonly<Record<IdentityReason, { readonly status: number; readonly text: string }>> = {
  not_begun: {
    status: 400,
    text: "This sign-in was not begun in this browser, was already used, or took longer than ten minutes. Begin again.",
  },
  declined: {
    status: 403,
    text: "The issuer did not sign you in, or you canceled. Begin again, or ask the operator of the issuer.",
  },
  used_code: { status: 400, text: "The issuer no longer accepts this sign-in. Begin again." },
  wrong_times: {
    status: 502,
    text: "The issuer's answer has expired or is not valid yet by the clock of this server. Their clocks must be within 30 s of each other.",
  },
  invalid: {
    status: 502,
    text: "The issuer's answer failed a check, so you were not signed in. The log of this server says which one.",
  },
  unreachable: { status: 503, text: "The issuer does not answer as it should. Try again in a moment." },
  refused: {
    status: 502,
    text: "The issuer does not accept this server. Its operator must check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.",
  },
  no_role: {
    status: 403,
    text: "The issuer knows you, but you are neither an admin nor a viewer of this server. Ask its operator to add you.",
  },
  no_caller: {
    status: 403,
    text: "The issuer knows you, but you may not let programs use the MCP servers here. Ask the operator of this server to add you.",
  },
  busy: { status: 503, text: "Too many sign-ins are under way or have failed. Try again in a minute." },
};

/** Seconds after which a failed sign-in may be tried again. */
const RETRY_AFTER_S = "30";

/** The routes at which a sign-in through an issuer begins and ends. */
export function oidcRoutes({ auth, showSignIn, assets, letIn }: OidcRouteOptions): AnyElysia {
  const showFailure = (request: Request, error: unknown, to?: string): Response => {
    if (!(error instanceof IdentityFault)) throw error;
    const { status, text } = FAILURES[error.reason];
    const answer = showSignIn(request, status, text, to);
    if (status === 503) answer.headers.set("retry-after", RETRY_AFTER_S);
    return answer;
  };
  const door = () => {
    if (auth.oidc) return auth.oidc;
    throw new Fault("unknown_url", {
      message: "This server has no issuer to sign in through: OIDC_ISSUER is not set.",
    });
  };
  const security: [] = [];
  const tags = ["State"];
  return createRoutes()
    .get(
      "/state/oidc/sign-in",
      async ({ visit }) => {
        const oidc = door();
        const to = pageAfter(URL.parse(visit.request.url)?.searchParams.get("to") ?? null);
        try {
          const { location, cookie } = await oidc.begin(visit, to);
          const headers = { location, "set-cookie": cookie, "cache-control": "no-store" };
          return new Response(null, { status: 303, headers });
        } catch (error) {
          return showFailure(visit.request, error, to);
        }
      },
      {
        detail: {
          tags,
          security,
          summary: "Begin a sign-in through the issuer",
          description: "Sends the browser to `OIDC_ISSUER`, with a cookie that lasts ten minutes.",
          parameters: [
            {
              name: "to",
              in: "query",
              schema: { type: "string" },
              description: "The page of the dashboard to open afterwards.",
            },
          ],
          responses: {
            303: { description: "The cookie, and the URL at the issuer." },
            503: rawAnswer("text/html", "The sign-in page, which says that the issuer does not answer."),
            ...errorResponses("unknown_url"),
          },
        },
      },
    )
    .get(
      "/state/oidc/callback",
      async ({ visit }) => {
        const oidc = door();
        try {
          const finished = await oidc.finish(visit);
          if (finished.kind === "caller" && !letIn) throw new IdentityFault("no_caller");
          const answer =
            finished.kind === "caller" && letIn
              ? await letIn(visit, finished)
              : page(
                  visit.request,
                  OnwardPage({ assets: assets(), to: finished.kind === "operator" ? finished.to : "" }),
                );
          for (const cookie of finished.cookies) answer.headers.append("set-cookie", cookie);
          // The address of this page contains the code.
          answer.headers.set("referrer-policy", "no-referrer");
          return answer;
        } catch (error) {
          const answer = showFailure(visit.request, error);
          answer.headers.append("set-cookie", oidc.forget(visit));
          return answer;
        }
      },
      {
        detail: {
          tags,
          security,
          summary: "End a sign-in through the issuer",
          description: "The issuer sends the browser here. The cookie that it gets opens the State API only.",
          responses: {
            200: rawAnswer("text/html", "Signed in: the cookie, and a page that leads to the one that was asked for."),
            400: rawAnswer("text/html", "The sign-in page: the sign-in was not begun in this browser, or has expired."),
            403: rawAnswer("text/html", "The sign-in page: the issuer said no, or the user has no role here."),
            502: rawAnswer("text/html", "The sign-in page: the issuer's answer fails a check."),
            503: rawAnswer("text/html", "The sign-in page: the issuer does not answer, or too many sign-ins fail."),
            ...errorResponses("unknown_url"),
          },
        },
      },
    );
}
