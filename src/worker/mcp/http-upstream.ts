import type { Answer, Backend } from "../../answering/opening.ts";
import { bearerIn } from "../../wire/bearer.ts";
import type { RequestHead } from "../../wire/frame.ts";
import { isMcpAnswerHeader, isMcpRequestHeader } from "../../wire/mcp-headers.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import { callBackend, toAnswer, toFetchedAnswer } from "../backend.ts";
import { isListening } from "./listening.ts";
import { toPublicChallenge } from "./oauth-challenge.ts";
import { fetchMetadata } from "./oauth-metadata.ts";

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
}

/** An MCP server that speaks Streamable HTTP at one URL. Requests and answers pass unchanged, except for filtered headers. */
export function createHttpUpstream(url: string, { oauth = false }: HttpUpstreamOptions = {}): Backend {
  return {
    open(head) {
      const { resource } = head;
      if (oauth && resource !== undefined && head.method === "GET" && head.path === METADATA_PATH) {
        return {
          kind: "ask",
          ask: async (_body, signal) => toAnswer(await fetchMetadata(url, resource, signal)),
          mayFallSilent: false,
        };
      }
      const target = toUrl(url, head.path);
      if (target === undefined || !METHODS.has(head.method)) {
        return { kind: "refuse", code: "protocol_error", message: "this is not a request for an MCP server" };
      }
      return {
        kind: "ask",
        ask: (body, signal) => ask({ url: target, head, isOauth: oauth }, body, signal),
        mayFallSilent: true,
        isListening: isListening(head),
      };
    },
  };
}

/** Returns the endpoint's URL with the request's query; undefined for a path outside the endpoint. */
function toUrl(url: string, path: string): string | undefined {
  if (path === "/") return url;
  if (!path.startsWith("/?")) return undefined;
  const target = new URL(url);
  // Assigning the query cannot change any other part of the URL.
  target.search = path.slice(1);
  return target.href;
}

interface Target {
  readonly url: string;
  readonly head: RequestHead;
  readonly isOauth: boolean;
}

async function ask(
  { url, head, isOauth }: Target,
  body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const passed: RequestHead = { ...head, headers: head.headers.filter(([name]) => isPassed(name)) };
  // The caller's bearer token is not forwarded, unless it was issued for the MCP server.
  const key = isOauth ? bearerOf(head) : undefined;
  const resource = isOauth ? head.resource : undefined;
  const request = { head: passed, key, body, signal, isRepeatable: REPEATABLE.has(head.method) };
  const response = await callBackend({ ...request, url });
  const moved = toMoved(url, response);
  // Some servers redirect /mcp to /mcp/. A streamed body is spent, so its client has to follow the redirect.
  if (moved === undefined || body instanceof ReadableStream) return toClientAnswer(response, resource);
  await response.body?.cancel();
  return toClientAnswer(await callBackend({ ...request, url: moved }), resource);
}

function isPassed(name: string): boolean {
  const lower = name.toLowerCase();
  return isMcpRequestHeader(lower) && lower !== "authorization";
}

function bearerOf(head: RequestHead): string | undefined {
  return bearerIn(head.headers.find(([name]) => name.toLowerCase() === "authorization")?.[1]);
}

/** Returns the target of a redirect that keeps method and body, if it is on the same server. */
function toMoved(url: string, response: Response): string | undefined {
  const location = response.headers.get("location");
  if ((response.status !== 307 && response.status !== 308) || location === null) return undefined;
  const moved = URL.parse(location, url);
  return moved && moved.origin === new URL(url).origin ? moved.href : undefined;
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
