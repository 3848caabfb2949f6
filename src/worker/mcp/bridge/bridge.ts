import { readRequestBody } from "@modelcontextprotocol/server";
import type { Backend } from "../../../answering/opening.ts";
import { parseJson } from "../../../json/parse.ts";
import type { Deps } from "../../../system/deps.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { isMcpRequestHeader } from "../../../wire/mcp-headers.ts";
import { toAnswer } from "../../backend.ts";
import { isListening } from "../listening.ts";
import { spellOutAccept } from "./accept.ts";
import { isTooDeep } from "./depth.ts";
import { type Era, EraProbe, isStateless } from "./era.ts";
import { MAX_MESSAGE_BYTES, type OpenPeer } from "./peer.ts";
import { errorResponse, RPC } from "./rpc-error.ts";
import { type SessionLimits, Sessions } from "./sessions.ts";
import { Stateless } from "./stateless.ts";

export interface BridgeOptions {
  readonly openPeer: OpenPeer;
  /** Whether the peers may speak a revision of MCP without sessions. */
  readonly maybeStateless: boolean;
  /** Which of these they speak; the first peer is asked unless it is given. */
  readonly era?: Era;
  readonly limits: SessionLimits;
  /** Ends what the peers share. Called after the last session has ended. */
  readonly closeShared?: () => Promise<void>;
  readonly deps: Deps;
}

/** Streamable HTTP in front of an MCP server that does not speak it. */
export interface Bridge extends Backend {
  /** The number of open sessions. */
  readonly sessions: number;
  /** Ends every peer. Resolves when the last one has ended. */
  close(): Promise<void>;
}

type Body = Uint8Array | ReadableStream<Uint8Array> | undefined;

export function createBridge({ openPeer, maybeStateless, era, limits, closeShared, deps }: BridgeOptions): Bridge {
  const sessions = new Sessions({ openPeer, limits, deps });
  const stateless = maybeStateless
    ? new Stateless(openPeer, era ?? new EraProbe(openPeer, deps.clock), limits.idleMs, deps.clock)
    : undefined;

  const handle = async (request: Request): Promise<Response> => {
    if (request.method !== "POST") {
      // These revisions have POST only; the specification answers any other method so.
      if (isStateless(request.headers.get("mcp-protocol-version") ?? "")) return methodNotAllowed();
      return sessions.handle(request, undefined);
    }
    const body = await readRequestBody(request, MAX_MESSAGE_BYTES);
    if (body.tooLarge) return errorResponse(413, RPC.server, "The message is too large.");
    const message = parseJson(body.text);
    if (message === undefined) return errorResponse(400, RPC.parse, "The body is not valid JSON.");
    if (isTooDeep(message)) return errorResponse(400, RPC.invalidRequest, "The message is nested too deeply.");
    return (await stateless?.handle(request, message)) ?? sessions.handle(request, message);
  };

  return {
    get sessions() {
      return sessions.size;
    },
    open: (head) => ({
      kind: "ask",
      ask: async (body, signal) => {
        const direct = body instanceof Uint8Array ? await sessions.forward(head, body, signal) : undefined;
        return direct ?? toAnswer(await handle(toRequest(head, body, signal)));
      },
      mayFallSilent: true,
      isListening: isListening(head),
    }),
    async close() {
      await Promise.all([sessions.close(), stateless?.close()]);
      await closeShared?.();
    },
  };
}

function methodNotAllowed(): Response {
  const response = errorResponse(405, RPC.server, "This revision of MCP has no method but POST.");
  response.headers.set("allow", "POST");
  return response;
}

/** Makes a request for the bridge. The caller's authorization is not forwarded. */
function toRequest(head: RequestHead, body: Body, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of head.headers) {
    const lower = name.toLowerCase();
    if (isMcpRequestHeader(lower) && lower !== "authorization") headers.append(lower, value);
  }
  headers.set("accept", spellOutAccept(headers.get("accept")));
  return new Request("http://bridge.invalid/mcp", {
    method: head.method,
    headers,
    // The type asks for a view of plain memory, and a frame's body is one.
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> }),
    signal,
  });
}
