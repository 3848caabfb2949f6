import {
  classifyInboundRequest,
  isJSONRPCRequest,
  isJsonContentType,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type RequestId,
} from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { LISTEN_METHOD } from "../../../wire/mcp-headers.ts";
import { parseAccept } from "./accept.ts";
import type { Era } from "./era.ts";
import { ParamHeaders } from "./param-headers.ts";
import type { OpenPeer } from "./peer.ts";
import { isRemoved } from "./removed-methods.ts";
import { errorResponse, RPC } from "./rpc-error.ts";
import { SharedPeer } from "./shared-peer.ts";
import { headerFault } from "./standard-headers.ts";

/** The revisions of MCP without sessions, for servers that know them. */
export class Stateless {
  readonly #era: Era;
  readonly #shared: SharedPeer;
  readonly #paramHeaders = new ParamHeaders();

  /** `idleMs` is how long the shared peer may be unused before it ends. */
  constructor(openPeer: OpenPeer, era: Era, idleMs: number, clock: Clock) {
    this.#era = era;
    this.#shared = new SharedPeer({
      openPeer,
      idleMs,
      clock,
      onResult: (method, result) => {
        if (method === "tools/list") this.#paramHeaders.learn(result);
      },
    });
  }

  /**
   * Answers a request of a stateless revision. Returns undefined for any other request, and when the server knows only
   * sessions: its refusal then makes the client begin one.
   */
  async handle(request: Request, body: unknown): Promise<Response | undefined> {
    const { headers } = request;
    const route = classifyInboundRequest({
      httpMethod: request.method,
      ...optional("protocolVersionHeader", headers.get("mcp-protocol-version")),
      ...optional("mcpMethodHeader", headers.get("mcp-method")),
      ...optional("mcpNameHeader", headers.get("mcp-name")),
      body,
    });
    if (route.kind === "legacy") return undefined;
    const versions = await this.#era.versions();
    if (versions.length === 0) {
      const reason = this.#era.startFailure;
      // A client would open a session next, and would be told to no purpose that its request names none.
      return reason === undefined
        ? undefined
        : errorResponse(502, RPC.internal, `The MCP server did not answer: ${reason}.`, idOf(body));
    }
    if (route.kind === "reject") {
      return errorResponse(route.httpStatus, route.code, route.message, idOf(body), route.data);
    }
    if (!isJsonContentType(headers.get("content-type"))) {
      return errorResponse(415, RPC.server, "The content type must be application/json.", idOf(body));
    }
    const { revision } = route.classification;
    if (revision === undefined || !versions.includes(revision)) {
      const data = { supported: versions, requested: revision ?? "unknown" };
      return errorResponse(400, RPC.unsupportedVersion, "Unsupported protocol version", idOf(body), data);
    }
    return this.#pass(request, route.message);
  }

  async close(): Promise<void> {
    await Promise.all([this.#era.close(), this.#shared.close()]);
  }

  async #pass(request: Request, message: JSONRPCRequest | JSONRPCNotification): Promise<Response> {
    if (!isJSONRPCRequest(message)) {
      // A cancellation does not state whose request it means. In these revisions clients cancel by disconnecting.
      if (message.method !== "notifications/cancelled" && !isRemoved(message.method)) this.#shared.tell(message);
      return new Response(null, { status: 202 });
    }
    const fault = headerFault(request.headers, message) ?? this.#paramHeaders.fault(request.headers, message);
    if (fault !== undefined) {
      return errorResponse(400, RPC.headerMismatch, `The headers and the body disagree: ${fault}.`, message.id);
    }
    if (isRemoved(message.method)) {
      return errorResponse(404, RPC.methodNotFound, "This revision of MCP does not have this method.", message.id);
    }
    const { events: acceptsEvents } = parseAccept(request.headers.get("accept"));
    if (message.method === LISTEN_METHOD && !acceptsEvents) {
      return errorResponse(406, RPC.server, "The client must accept text/event-stream.", message.id);
    }
    return this.#shared.ask(message, { signal: request.signal, acceptsEvents });
  }
}

function optional<K extends string>(key: K, value: string | null): { readonly [P in K]?: string } {
  // One key, named by the caller, which a computed name hides from the compiler.
  return value === null ? {} : ({ [key]: value } as { readonly [P in K]?: string });
}

function idOf(body: unknown): RequestId | undefined {
  return isJSONRPCRequest(body) ? body.id : undefined;
}
