import { readBody } from "../http/body.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock } from "../system/deps.ts";
import { grantNameOf, readGrant } from "./grant-record.ts";
import { KvFault } from "./kv.ts";
import { REGISTER_PATH, SERVER_METADATA_PATH, TOKEN_PATH } from "./library.ts";
import type { OAuth } from "./oauth.ts";
import { isUsableOrigin, readResource } from "./resource.ts";

/** The longest body of a request for a token and of a registration. Programs send a few hundred bytes. */
const MAX_BODY_BYTES = 16 * 1024;
const BODY_TIMEOUT_MS = 10_000;
/** How often a request is served again because another one has changed the same record meanwhile. */
const MAX_TRIES = 3;
/** Headers that the endpoints read. */
const PASSED_ON = ["authorization", "content-type"];

export interface EndpointOptions {
  readonly oauth: OAuth;
  readonly clock: Clock;
  /** Returns the origin by which the client knows this server. */
  readonly originOf: (visit: Visit) => string;
  /** Counts a registration. Returns the seconds after which another one is taken, if there were too many from this address. */
  readonly countRegistration: (visit: Visit) => number | undefined;
}

/** The endpoints that programs call. They never reject for anything that a client has sent, except as `readBody` does. */
export interface Endpoints {
  /** Answers with the metadata of the authorization server (RFC 8414). */
  describe(visit: Visit): Promise<Response>;
  /** Exchanges a code or a refresh token, or revokes a token. */
  token(visit: Visit): Promise<Response>;
  register(visit: Visit): Promise<Response>;
}

export function createEndpoints({ oauth, clock, originOf, countRegistration }: EndpointOptions): Endpoints {
  const read = (visit: Visit): Promise<Uint8Array> =>
    readBody(visit.request, {
      maxBytes: MAX_BODY_BYTES,
      timeoutMs: BODY_TIMEOUT_MS,
      clock,
      liftIdleTimeout: () => {},
    });
  /** Serves a request, and serves it again if another one was faster, which then sees what that has changed. */
  const serve = async (
    visit: Visit,
    path: string,
    relayId: string | undefined,
    body?: Uint8Array,
  ): Promise<Response> => {
    if (oauth.table.isUnread) return unavailable("away");
    const origin = originOf(visit);
    if (!isUsableOrigin(origin))
      return Response.json(HTTPS_ONLY, { status: 400, headers: { "cache-control": "no-store" } });
    const { servers } = await oauth.loaded();
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await servers.at(origin, relayId, oauth.kv()).fetch(requestFor(visit, origin + path, body));
        return withOwnHeaders(answer);
      } catch (error) {
        if (!(error instanceof KvFault)) throw error;
        if (error.reason !== "conflict" || tries === MAX_TRIES) return unavailable(error.reason);
      }
    }
  };
  return {
    async describe(visit) {
      const answer = await serve(visit, SERVER_METADATA_PATH, undefined);
      if (!answer.ok) return answer;
      const { protected_resources: _, ...metadata } = (await answer.json()) as Record<string, unknown>; // a JSON object by RFC 8414
      const document = { ...metadata, client_id_metadata_document_supported: oauth.takesDocuments };
      // The document names the origin of this request, and the next client may use another one.
      return Response.json(document, { headers: { "cache-control": "no-store" } });
    },
    async token(visit) {
      const body = await read(visit);
      const form = new URLSearchParams(new TextDecoder().decode(body));
      return serve(visit, TOKEN_PATH, await relayOf(oauth, form), body);
    },
    async register(visit) {
      const retryAfterS = countRegistration(visit);
      if (retryAfterS !== undefined) return unavailable("busy", retryAfterS);
      return serve(visit, REGISTER_PATH, undefined, await read(visit));
    },
  };
}

/** Finds the relay that a request for a token is about: that of the grant, or the one that it names itself. */
async function relayOf(oauth: OAuth, form: URLSearchParams): Promise<string | undefined> {
  const token = form.get("code") ?? form.get("refresh_token") ?? form.get("token") ?? "";
  const name = grantNameOf(token);
  const row = name === undefined ? undefined : await oauth.table.heard(name);
  const resource = (row && readGrant(row))?.resource ?? form.get("resource");
  return resource === null ? undefined : readResource(resource)?.relayId;
}

function requestFor({ request }: Visit, url: string, body: Uint8Array | undefined): Request {
  const headers = new Headers();
  for (const name of PASSED_ON) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  // A HEAD is answered like a GET, without the body.
  return new Request(url, body === undefined ? { headers } : { method: "POST", headers, body });
}

/** Leaves the rules for pages of other origins to this server, and lets nobody keep an answer. */
function withOwnHeaders(answer: Response): Response {
  const headers = new Headers(answer.headers);
  for (const name of [...headers.keys()]) if (name.startsWith("access-control-")) headers.delete(name);
  headers.set("cache-control", "no-store");
  return new Response(answer.body, { status: answer.status, headers });
}

const HTTPS_ONLY = {
  error: "invalid_request",
  error_description:
    "This server lets programs in only where it is reached by https: set its PUBLIC_URL, with TLS in front of it.",
};

const REASONS: Readonly<Record<KvFault["reason"] | "busy", { readonly status: number; readonly text: string }>> = {
  conflict: { status: 503, text: "Other requests are changing the same grant. Try again." },
  away: { status: 503, text: "This server cannot reach the records of its cluster. Try again shortly." },
  full: { status: 503, text: "This server has as many clients and grants as it takes. Its operator can revoke some." },
  document: {
    status: 503,
    text: "The document by which this program introduces itself cannot be fetched now. Try again shortly.",
  },
  busy: { status: 429, text: "Too many clients were registered from this address. Try again later." },
};

function unavailable(reason: keyof typeof REASONS, retryAfterS = 5): Response {
  const { status, text } = REASONS[reason];
  const headers = { "cache-control": "no-store", "retry-after": String(retryAfterS) };
  return Response.json({ error: "temporarily_unavailable", error_description: text }, { status, headers });
}
