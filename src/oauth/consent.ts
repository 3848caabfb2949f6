import type { AuthRequest, ConsentDescription } from "@cloudflare/workers-oauth-provider";
import { Fault } from "../errors.ts";
import { readBody } from "../http/body.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock } from "../system/deps.ts";
import { isLoopback } from "../system/loopback.ts";
import { readClientId } from "./client-documents.ts";
import type { ConnectorRelay, Holder } from "./connector.ts";
import {
  accessProblem,
  documentAway,
  documentNotValid,
  keyProblem,
  notConnected,
  START_AGAIN,
} from "./consent-texts.ts";
import { type GrantMetadata, grantIdOf, grantNameOf, userIdOf } from "./grant-record.ts";
import { KvFault } from "./kv.ts";
import { AUTHORIZE_PATH, type Library } from "./library.ts";
import { clientNameOf } from "./names.ts";
import type { OAuth } from "./oauth.ts";
import { isUsableOrigin, readResource } from "./resource.ts";

/** What a page of consent shows. */
export interface ConsentFacts {
  /** Opens the consent once, in this browser. */
  readonly handle: string;
  readonly client: {
    readonly name: string;
    /** The domain that answers for the name; undefined for a client that has registered itself. */
    readonly domain: string | undefined;
    /** The host to which access is sent. */
    readonly host: string;
    /** Whether that is this person's own machine, where any program may wait for it. */
    readonly isLocal: boolean;
  };
  readonly relay: ConnectorRelay;
  /** Why the last attempt has failed. */
  readonly problem: string | undefined;
}

/** What the browser gets. */
export type ConsentAnswer =
  | { readonly kind: "ask"; readonly facts: ConsentFacts; readonly headers: Headers; readonly status: number }
  | { readonly kind: "redirect"; readonly to: string; readonly headers: Headers }
  /** There is nothing to ask. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly text: string;
      /** The way back to the client, which is then told; absent if there is no client that may be told. */
      readonly back?: { readonly to: string; readonly host: string };
    };

export interface ConsentOptions {
  readonly oauth: OAuth;
  readonly clock: Clock;
  readonly originOf: (visit: Visit) => string;
  /** Throws `origin_not_allowed` for a form that a page of another site has sent. */
  readonly assertOwnPage: (visit: Visit) => void;
  /** Writes down that a person has let a client in. */
  readonly onAllowed: (visit: Visit, grantId: string, grant: GrantMetadata) => void;
  /** Sends the browser to the issuer, which sends it back to `Consent.resume`. Resolves with undefined where nobody signs in by one. */
  readonly toIssuer: (visit: Visit, resume: string) => Promise<IssuerVisit | undefined>;
}

/** Where the issuer is, and the cookie to go there with. */
export interface IssuerVisit {
  readonly location: string;
  readonly cookie: string;
}

/** The pages on which people let a client use a relay. */
export interface Consent {
  /** Answers the request with which a client sends a browser here. */
  ask(visit: Visit): Promise<ConsentAnswer>;
  /** Takes the form of the page. */
  decide(visit: Visit): Promise<ConsentAnswer>;
  /** Goes on after `decide` has sent the browser to the issuer, which has said who the person is. */
  resume(visit: Visit, resume: string, holder: Holder): Promise<ConsentAnswer>;
}

const MAX_FORM_BYTES = 8 * 1024;
const FORM_TIMEOUT_MS = 10_000;

export function createConsent({ oauth, clock, originOf, assertOwnPage, onAllowed, toIssuer }: ConsentOptions): Consent {
  const servers = async (visit: Visit, relayId: string | undefined) => {
    const { library, servers: all } = await oauth.loaded();
    return { library, ...all.at(originOf(visit), relayId, oauth.kv()) };
  };
  /** Returns the answer where nobody can be let in now; else undefined. */
  const closed = (visit: Visit): ConsentAnswer | undefined => {
    if (!isUsableOrigin(originOf(visit))) return HTTPS_ONLY;
    return oauth.table.isUnread ? kvAnswer(new KvFault("away")) : undefined;
  };
  const relayOf = ({ resource = "" }: Pick<AuthRequest, "resource">): ConnectorRelay | undefined =>
    oauth.options.relays().find(readResource(resource)?.relayId ?? "");

  const show = async (
    visit: Visit,
    request: AuthRequest,
    relay: ConnectorRelay,
    more: { readonly problem?: string; readonly status?: number; readonly headers?: Headers } = {},
  ): Promise<ConsentAnswer> => {
    const { helpers } = await servers(visit, relay.id);
    const client = toClient(await helpers.describeConsent(request));
    const { handle, headers } = await helpers.beginConsent(request);
    for (const cookie of more.headers?.getSetCookie() ?? []) headers.append("set-cookie", cookie);
    const { problem, status = 200 } = more;
    return { kind: "ask", facts: { handle, client, relay, problem }, headers, status };
  };

  const complete = async (
    visit: Visit,
    request: AuthRequest,
    holder: Holder,
    relay: ConnectorRelay,
    headers: Headers,
  ) => {
    const { helpers } = await servers(visit, relay.id);
    const { name, host } = toClient(await helpers.describeConsent(request));
    const metadata: GrantMetadata = { relay: relay.id, client: name, host, holder };
    const { redirectTo } = await helpers.completeAuthorization({
      request,
      userId: userIdOf(holder),
      metadata,
      scope: request.scope,
      props: {},
      // People who share a key must not end each other's access. Grants that are not used end by themselves.
      revokeExistingGrants: false,
    });
    const code = new URL(redirectTo).searchParams.get("code") ?? "";
    onAllowed(visit, grantIdOf(grantNameOf(code) ?? ""), metadata);
    return { kind: "redirect", to: redirectTo, headers } as const;
  };

  /** Says why a client is not known whose id is the URL of a document; undefined for any other reason. */
  const documentProblem = async (clientId: string): Promise<string | undefined> => {
    const { clientAt } = oauth.options;
    const url = clientAt && readClientId(clientId);
    if (!url || (await clientAt(clientId)) !== undefined) return undefined;
    return documentNotValid(clientNameOf(url.hostname));
  };
  const askProblem = async (error: unknown, clientId: string, library: Library): Promise<ConsentAnswer> => {
    if (error instanceof library.AuthorizationError)
      return error.redirectTo === undefined
        ? refused((await documentProblem(clientId)) ?? error.description)
        : refusedFor(error.redirectTo, error.description);
    const url = readClientId(clientId);
    if (error instanceof KvFault && error.reason === "document" && url)
      return { kind: "refused", status: 503, text: documentAway(clientNameOf(url.hostname)) };
    return kvAnswer(error);
  };

  return {
    async ask(visit) {
      const refusal = closed(visit);
      if (refusal) return refusal;
      const { search, searchParams } = new URL(visit.request.url);
      const origin = originOf(visit);
      const named = readResource(searchParams.get("resource") ?? "");
      const { library, helpers } = await servers(visit, named?.origin === origin ? named.relayId : undefined);
      try {
        const asked = new Request(`${origin}${AUTHORIZE_PATH}${search}`);
        const request = await helpers.parseAuthRequest(asked);
        const relay = relayOf(request);
        if (!relay) return noRelay(request);
        // The library lets clients with a secret go without. Here nobody does.
        if (request.codeChallenge === undefined)
          return refusedFor(library.authorizationErrorRedirect(request, "invalid_request", NO_CHALLENGE), NO_CHALLENGE);
        return await show(visit, request, relay);
      } catch (error) {
        const clientId = searchParams.get("client_id") ?? "";
        // The document is asked for again here, and may be away by now.
        return await askProblem(error, clientId, library).catch((second) => askProblem(second, clientId, library));
      }
    },

    async decide(visit) {
      assertOwnPage(visit);
      const refusal = closed(visit);
      if (refusal) return refusal;
      const form = await readForm(visit, clock);
      const handle = form.get("handle") ?? "";
      const { library, helpers } = await servers(visit, undefined);
      try {
        const decision = form.get("decision");
        if (decision !== "allow" && decision !== "issuer") {
          const { redirectTo, headers } = await helpers.denyConsent(visit.request, handle);
          headers.delete("location");
          return { kind: "redirect", to: redirectTo, headers };
        }
        const { request, headers } = await helpers.approveConsent(visit.request, handle);
        const relay = relayOf(request);
        if (!relay) return noRelay(request);
        const again = (problem: string, status: number) => show(visit, request, relay, { problem, status, headers });
        if (decision === "issuer") {
          const upstream = await helpers.beginUpstream(request, { headers });
          const issuer = await toIssuer(visit, upstream.state);
          if (!issuer) return await again("This server has no issuer to sign in through. Enter a key.", 400);
          upstream.headers.append("set-cookie", issuer.cookie);
          return { kind: "redirect", to: issuer.location, headers: upstream.headers };
        }
        let holder: Holder;
        try {
          holder = oauth.options.holders().holderOf(visit, (form.get("key") ?? "").trim());
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return await again(keyProblem(error), error.status);
        }
        const problem = accessProblem(oauth.options.holders().accessOf(holder, relay), relay);
        if (problem !== undefined) return await again(problem, 403);
        return await complete(visit, request, holder, relay, headers);
      } catch (error) {
        if (error instanceof library.AuthorizationError) return refused(error.description);
        return kvAnswer(error);
      }
    },

    async resume(visit, resume, holder) {
      const refusal = closed(visit);
      if (refusal) return refusal;
      const { library, helpers } = await servers(visit, undefined);
      try {
        const cookie = visit.request.headers.get("cookie") ?? "";
        const url = `${originOf(visit)}${AUTHORIZE_PATH}?${new URLSearchParams({ state: resume })}`;
        const { request, headers } = await helpers.finishUpstream(new Request(url, { headers: { cookie } }));
        const relay = relayOf(request);
        if (!relay) return noRelay(request);
        const problem = accessProblem(oauth.options.holders().accessOf(holder, relay), relay);
        if (problem !== undefined) return await show(visit, request, relay, { problem, status: 403, headers });
        return await complete(visit, request, holder, relay, headers);
      } catch (error) {
        if (error instanceof library.AuthorizationError) return refused(error.description);
        return kvAnswer(error);
      }
    },
  };
}

async function readForm({ request }: Visit, clock: Clock): Promise<URLSearchParams> {
  const limits = { maxBytes: MAX_FORM_BYTES, timeoutMs: FORM_TIMEOUT_MS, clock, liftIdleTimeout: () => {} };
  return new URLSearchParams(new TextDecoder().decode(await readBody(request, limits)));
}

function toClient({ clientName, clientId, redirectUri }: ConsentDescription): ConsentFacts["client"] {
  return { name: clientNameOf(clientName), domain: readClientId(clientId)?.hostname, ...toPlace(redirectUri) };
}

function noRelay({ resource = "" }: Pick<AuthRequest, "resource">): ConsentAnswer {
  return { kind: "refused", status: 404, text: notConnected(readResource(resource)?.relayId ?? "") };
}

function refused(description: string): ConsentAnswer {
  return { kind: "refused", status: 400, text: `${description.replace(/\.$/, "")}. ${START_AGAIN}` };
}

/**
 * Answers a request that the client has to mend. Only programs on this person's machine are told at once: anybody may register a client
 * with any redirect URI, and this server must not send people to places that nobody here has chosen.
 */
function refusedFor(to: string, description: string): ConsentAnswer {
  const { host, isLocal } = toPlace(to);
  if (isLocal) return { kind: "redirect", to, headers: new Headers() };
  return { kind: "refused", status: 400, text: `${description.replace(/\.$/, "")}.`, back: { to, host } };
}

/** Returns what people are told about where a client wants to be sent. */
function toPlace(redirectUri: string): { readonly host: string; readonly isLocal: boolean } {
  const { protocol, hostname, host } = new URL(redirectUri);
  const isWeb = protocol === "https:" || protocol === "http:";
  const name = isWeb ? hostname : `${protocol}//${host}`;
  return { host: clientNameOf(name), isLocal: !isWeb || isLoopback(hostname) };
}

const HTTPS_ONLY: ConsentAnswer = {
  kind: "refused",
  status: 400,
  text: "People can let programs in only where this server is reached by https, so that nobody else can read the key. Its operator has to put TLS in front of it, and set PUBLIC_URL.",
};
const NO_CHALLENGE = "code_challenge is required";

/** Answers for a record that could not be written. Throws any other error again. */
function kvAnswer(error: unknown): ConsentAnswer {
  if (!(error instanceof KvFault)) throw error;
  if (error.reason === "conflict") return refused("This page was used already");
  if (error.reason === "document") return { kind: "refused", status: 503, text: documentAway("its site") };
  return { kind: "refused", status: 503, text: "This server cannot keep the access now. Try again in a moment." };
}
