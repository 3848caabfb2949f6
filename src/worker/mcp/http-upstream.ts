import type { Answer, Backend } from "../../answering/opening.ts";
import { bearerIn } from "../../wire/bearer.ts";
import type { RequestHead } from "../../wire/heads.ts";
import { isForwardedHeader, isMcpAnswerHeader, isMcpRequestHeader } from "../../wire/mcp-headers.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import { toAnswer, toFetchedAnswer } from "../backend.ts";
import type { Endpoint } from "./endpoint.ts";
import type { UpstreamHealth } from "./health.ts";
import { isListening } from "./listening.ts";
import { toPublicChallenge } from "./oauth-challenge.ts";
import { OauthMetadata } from "./oauth-metadata.ts";

/** The methods of the transport; no others reach the MCP server. */
const METHODS: ReadonlySet<string> = new Set(["POST", "GET", "DELETE"]);

/**
 * The methods that may be repeated after a broken connection: GET opens a stream and DELETE ends a session, and HTTP defines
 * both as idempotent. A POST may call a tool, and the server may have run it before the connection broke. Nothing tells the
 * relay that a second run would do no harm, so its client decides.
 */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "DELETE"]);

export interface HttpUpstreamOptions {
  /** Whether callers sign in to the MCP server itself: it then receives their bearer tokens, and they its OAuth metadata. */
  readonly oauth?: boolean;
  /** Is told when the MCP server answers. */
  readonly health?: UpstreamHealth;
}

/**
 * An MCP server that speaks Streamable HTTP at one URL. Requests and answers pass unchanged, except for filtered headers.
 */
export function createHttpUpstream(endpoint: Endpoint, { oauth = false, health }: HttpUpstreamOptions = {}): Backend {
  const metadata = oauth ? new OauthMetadata(endpoint) : undefined;
  return {
    open(head) {
      const { resource } = head;
      if (metadata && resource !== undefined && head.method === "GET" && head.path === METADATA_PATH) {
        return {
          kind: "ask",
          ask: async (_body, signal) => toAnswer(await metadata.fetchFor(resource, signal)),
          mayFallSilent: false,
        };
      }
      const query = queryOf(head.path);
      if (query === undefined || !METHODS.has(head.method)) {
        return { kind: "refuse", code: "protocol_error", message: "this is not a request for an MCP server" };
      }
      return {
        kind: "ask",
        ask: async (body, signal) => {
          const passed: RequestHead = { ...head, headers: head.headers.filter(([name]) => isPassed(name)) };
          const response = await endpoint.call({
            head: passed,
            query,
            // The caller's bearer token is not forwarded, unless it was issued for the MCP server.
            key: oauth ? bearerOf(head) : undefined,
            body,
            signal,
            isRepeatable: REPEATABLE.has(head.method),
          });
          health?.works();
          metadata?.noteChallenge(response);
          return toClientAnswer(response, oauth ? resource : undefined);
        },
        mayFallSilent: true,
        isListening: isListening(head),
      };
    },
  };
}

/** Returns the query of a request for the endpoint, with its question mark if there is one; undefined for any other path. */
function queryOf(path: string): string | undefined {
  if (path === "/") return "";
  return path.startsWith("/?") ? path.slice(1) : undefined;
}

function isPassed(name: string): boolean {
  const lower = name.toLowerCase();
  return (isMcpRequestHeader(lower) && lower !== "authorization") || isForwardedHeader(lower);
}

function bearerOf(head: RequestHead): string | undefined {
  return bearerIn(head.headers.find(([name]) => name.toLowerCase() === "authorization")?.[1]);
}

/** Keeps the headers that clients need. `resource` is the public URL that the metadata of a challenge belong to. */
function toClientAnswer(response: Response, resource: string | undefined): Answer {
  const { status, headers, body } = toFetchedAnswer(response, "/");
  const pairs: [string, string][] = [];
  for (const [name, value] of headers) {
    // The length stays on this side of the link: it marks small answers, which travel in one frame.
    if (!isMcpAnswerHeader(name) && name !== "content-length") continue;
    const isChallenge = resource !== undefined && name === "www-authenticate";
    pairs.push([name, isChallenge ? toPublicChallenge(value, resource) : value]);
  }
  return { status, headers: pairs, body };
}
