import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/server";
import { FIRST_STATELESS } from "../bridge/era.ts";
import { isErrorResponse } from "../bridge/message-kinds.ts";
import { OPENING } from "../bridge/shared-opening.ts";
import type { Facts } from "./facts.ts";
import { LISTS } from "./lists.ts";

/** How a hub speaks with one MCP server on behalf of one session. */
export interface Dialect {
  /** The request with which a connection begins; undefined if the server needs none. */
  readonly opening: JSONRPCRequest | undefined;
  /** Whether the server knows only sessions, and its client none. */
  readonly isOlder: boolean;
  toMember(request: JSONRPCRequest): JSONRPCRequest;
  /** `method` is that of the request to which the message belongs. */
  toClient<M extends JSONRPCNotification | JSONRPCResponse>(method: string, message: M): M;
  /** Answers a request that the server would not understand. Undefined for any other, which goes to the server. */
  readonly answer?: (request: JSONRPCRequest, facts: Facts | undefined) => JSONRPCResponse | undefined;
}

/** The dialect of a server that speaks as its client does. */
export function sameDialect(opening: JSONRPCRequest | undefined): Dialect {
  return { opening, isOlder: false, toMember: (request) => request, toClient: (_method, message) => message };
}

/** What the metadata of requests and results in revisions without sessions begin with. */
const RESERVED = "io.modelcontextprotocol/";
/** The parameters of a request that is repeated with answers to what its server has asked. */
const OF_RETRY: ReadonlySet<string> = new Set(["inputResponses", "requestState"]);
/** The results for which clients are told how long they may keep them. */
const KEPT: ReadonlySet<string> = new Set([...LISTS.keys(), "resources/read", "server/discover"]);
/** The code for a resource that does not exist, in revisions with sessions and without. */
const NO_RESOURCE = { before: -32_002, now: -32_602 };

/**
 * The dialect of a server that knows only sessions, for clients of revisions without. It is opened on behalf of no client, so
 * it cannot ask one anything.
 */
export const OLDER: Dialect = {
  opening: OPENING,
  isOlder: true,
  toMember(request) {
    const { _meta, ...params } = request.params ?? {};
    const kept = Object.entries(_meta ?? {}).filter(([name]) => !name.startsWith(RESERVED));
    const others = Object.entries(params).filter(([name]) => !OF_RETRY.has(name));
    const meta = kept.length === 0 ? {} : { _meta: Object.fromEntries(kept) };
    return { ...request, params: { ...Object.fromEntries(others), ...meta } };
  },
  toClient(method, message) {
    if ("method" in message) return message;
    if (isErrorResponse(message)) {
      if (message.error.code !== NO_RESOURCE.before) return message;
      return { ...message, error: { ...message.error, code: NO_RESOURCE.now } };
    }
    const caching = KEPT.has(method) ? { ttlMs: 0, cacheScope: "private" } : {};
    return { ...message, result: { ...message.result, resultType: "complete", ...caching } };
  },
  answer({ method, id }, facts) {
    if (method !== "server/discover") return undefined;
    const result = { supportedVersions: [FIRST_STATELESS], ...(facts ?? { capabilities: {} }) };
    return { jsonrpc: "2.0", id, result: { ...result, resultType: "complete", ttlMs: 0, cacheScope: "private" } };
  },
};
