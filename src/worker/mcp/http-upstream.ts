import type { HeaderPairs, RequestHead } from "../../tunnel/frame.ts";
import { isMcpAnswerHeader, isMcpRequestHeader } from "../../tunnel/mcp-headers.ts";
import { callBackend } from "../backend.ts";
import { toBackendUrl } from "../backend-url.ts";
import type { Backend } from "../opening.ts";

/** Verbs of the transport; no others reach the MCP server. */
const METHODS: ReadonlySet<string> = new Set(["POST", "GET", "DELETE"]);

/** An MCP server that speaks Streamable HTTP at one URL. Requests reach it, and answers come back, as they are. */
export function createHttpUpstream(url: string): Backend {
  return {
    open(head) {
      const target = toUrl(url, head.path);
      if (target === undefined || !METHODS.has(head.method)) {
        return { kind: "refuse", code: "protocol_error", message: "no request for this MCP server" };
      }
      return {
        kind: "ask",
        ask: (body, signal) => ask(target, head, body, signal),
        mayFallSilent: true,
      };
    },
  };
}

function toUrl(url: string, path: string): string | undefined {
  if (path === "/") return url;
  return path.startsWith("/?") ? url + path.slice(1) : toBackendUrl(url, path);
}

async function ask(
  url: string,
  head: RequestHead,
  body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const passed: RequestHead = { ...head, headers: head.headers.filter(([name]) => isPassed(name)) };
  const response = await callBackend({ url, head: passed, key: undefined, body, signal });
  const moved = toMoved(url, response);
  // Some servers answer /mcp with a redirect to /mcp/. A body that streamed is spent; its client may follow by itself.
  if (moved === undefined || body instanceof ReadableStream) return withoutOthers(response);
  await response.body?.cancel();
  return withoutOthers(await callBackend({ url: moved, head: passed, key: undefined, body, signal }));
}

/** The caller's bearer stays with the relay. */
function isPassed(name: string): boolean {
  const lower = name.toLowerCase();
  return isMcpRequestHeader(lower) && lower !== "authorization";
}

/** Where a redirect that keeps method and body leads, if that is the same server. */
function toMoved(url: string, response: Response): string | undefined {
  const location = response.headers.get("location");
  if ((response.status !== 307 && response.status !== 308) || location === null) return undefined;
  const moved = URL.parse(location, url);
  return moved && moved.origin === new URL(url).origin ? moved.href : undefined;
}

function withoutOthers(response: Response): Response {
  const pairs: HeaderPairs = [...response.headers].filter(
    // The length is for this side: it tells small answers, which travel in one frame.
    ([name]) => isMcpAnswerHeader(name) || name === "content-length",
  );
  return new Response(response.body, { status: response.status, headers: pairs as [string, string][] }); // read-only pairs
}
