import type { AnyElysia } from "elysia";
import type { PageAssets } from "../../views/layout.tsx";
import type { Audit } from "../audit/audit.ts";
import { addressBucket, createProxies } from "../auth/addresses.ts";
import type { Auth } from "../auth/auth.ts";
import { FailureLimit } from "../auth/failure-limit.ts";
import { oidcCallerOwner } from "../auth/oidc-roles.ts";
import { originSeen } from "../auth/public-origin.ts";
import { assertSameOrigin } from "../auth/same-origin.ts";
import type { Config } from "../config.ts";
import type { Visit } from "../http/visit.ts";
import { ClientDocuments } from "../oauth/client-documents.ts";
import type { ConnectorRelays } from "../oauth/connector.ts";
import { createConsent } from "../oauth/consent.ts";
import { createEndpoints } from "../oauth/endpoints.ts";
import { grantRoutes } from "../oauth/grant-routes.ts";
import { PUBLIC_ONLY } from "../oauth/guarded-fetch.ts";
import { OAuth } from "../oauth/oauth.ts";
import type { OAuthKeep, SharedOAuth } from "../oauth/oauth-records.ts";
import { oauthRoutes, toResponse } from "../oauth/routes.ts";
import type { LetIn } from "../state/oidc-routes.ts";
import { page } from "../state/page.ts";
import type { Deps } from "../system/deps.ts";

export interface ProgramAccessOptions {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: () => Auth;
  /** Writes down who has let which program in, and who has ended that. */
  readonly audit: Audit;
  /** Returns the name of a created key; undefined for one that is gone. */
  readonly nameOfKey: (keyId: string) => string | undefined;
  /** Returns the connector relays; undefined for a server that serves no relays. */
  readonly relays: () => ConnectorRelays | undefined;
  readonly keep?: OAuthKeep | undefined;
  readonly shared?: SharedOAuth | undefined;
}

/** How people let programs call connector relays. */
export interface ProgramAccess {
  readonly oauth: OAuth;
  /** Creates the routes. `assets` returns the files of pages. */
  routes(assets: () => PageAssets): AnyElysia;
  /** Goes on for somebody who lets a program in and has signed in by the issuer. */
  letIn(assets: () => PageAssets): LetIn;
}

/** Programs that one address may register within a minute. Hosted assistants register once for each person who connects. */
const REGISTRATIONS_PER_MINUTE = 60;
/** Pages of consent that one address may open within a minute. */
const PAGES_PER_MINUTE = 60;

export function createProgramAccess(options: ProgramAccessOptions): ProgramAccess {
  const { config, deps, auth, audit, nameOfKey, keep, shared } = options;
  const { clock, log } = deps;
  const relays = (): ConnectorRelays => options.relays() ?? NO_RELAYS;
  const documents = config.mcpClientDocuments ? new ClientDocuments({ clock, log, guard: PUBLIC_ONLY }) : undefined;
  const issuersName = oidcCallerOwner(config);
  const oauth = new OAuth({
    clock,
    log,
    tokenLifeMs: config.mcpTokenLifeMs,
    grantIdleMs: config.mcpGrantIdleMs,
    issuer: issuersName,
    keep,
    shared,
    clientAt: documents && ((url) => documents.find(url)),
    relays,
    holders: () => auth().connectors,
  });
  const proxies = createProxies(config.trustedProxies);
  const originOf = (visit: Visit): string => config.publicUrl ?? originSeen(visit, proxies);
  const registrations = new FailureLimit(REGISTRATIONS_PER_MINUTE, clock);
  const pages = new FailureLimit(PAGES_PER_MINUTE, clock);
  const consent = createConsent({
    oauth,
    clock,
    originOf,
    onAllowed: (visit, grantId, { client, relay, holder }) =>
      audit.note({
        who: holder.name,
        address: auth().addressOf(visit),
        what: "grant.create",
        about: grantId,
        detail: { client, relay },
      }),
    assertOwnPage: (visit) => assertSameOrigin(visit.request.headers, proxies.isTrusted(visit.address())),
    toIssuer: async (visit, resume) => (oauth.isWithoutKeys ? auth().oidc?.beginForProgram(visit, resume) : undefined),
  });
  const issuer = (): string | undefined => (oauth.isWithoutKeys ? auth().oidc?.issuer : undefined);
  return {
    oauth,
    letIn:
      (assets) =>
      async (visit, { resume, subject, name }) => {
        // Without an issuer nobody comes back from one, and no grant has an empty name.
        const holder = { kind: "oidc", issuer: issuersName ?? "", subject, name } as const;
        const answer = await consent.resume(visit, resume, holder);
        return toResponse(visit.request, answer, { page, assets, issuer });
      },
    routes: (assets) =>
      oauthRoutes({
        consent,
        endpoints: createEndpoints({
          oauth,
          clock,
          originOf,
          countRegistration: (visit) => registrations.count(addressBucket(auth().addressOf(visit))),
        }),
        isInUse: () => oauth.isInUse,
        countPage: (visit) => pages.count(addressBucket(auth().addressOf(visit))),
        isConnector: (id) => relays().find(id) !== undefined,
        issuer,
        assets,
        page,
      }).use(grantRoutes({ auth: auth(), grants: oauth.grants, audit, nameOfKey })),
  };
}

const NO_RELAYS: ConnectorRelays = { isAny: false, find: () => undefined, endGrant: () => {} };
