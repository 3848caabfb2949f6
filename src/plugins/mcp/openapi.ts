import { shownAs } from "../../openapi/document.ts";
import {
  type AnswerDoc,
  type ErrorForm,
  errorResponses,
  errorResponsesIn,
  type SchemaObject,
} from "../../openapi/schema.ts";
import { errorObject, SERVER_ERROR } from "./rpc-error.ts";

// The plugin's routes in the API's description. Nothing here runs for a request.

export const MCP = {
  name: "MCP",
  description: "MCP servers behind relays.",
};

const MESSAGE: SchemaObject = {
  type: "object",
  description: "One JSON-RPC 2.0 message, which is passed on unchanged.",
  properties: {
    jsonrpc: { type: "string", enum: ["2.0"] },
    id: { oneOf: [{ type: "string" }, { type: "number" }] },
    method: { type: "string" },
    params: { type: "object" },
  },
  required: ["jsonrpc"],
  example: { jsonrpc: "2.0", id: 1, method: "tools/list" },
};

const ANSWER: AnswerDoc = {
  description:
    "The MCP server's answer, passed on unchanged: status, headers and body. The MCP server's own errors come this way, too.",
  content: {
    "application/json": { schema: { type: "object" } },
    "text/event-stream": { schema: { type: "string" } },
  },
};

const ACCEPTED: AnswerDoc = { description: "The MCP server has accepted a notification or a response." };

/** This server's own errors, as JSON-RPC has them. */
const RPC_ERRORS: ErrorForm = {
  schema: {
    type: "object",
    description: "A JSON-RPC 2.0 error of this server. Its status is never 400, 404 or 405.",
    properties: {
      jsonrpc: { type: "string", enum: ["2.0"] },
      id: {
        description: "The id of the request, if this server could read it.",
        oneOf: [{ type: "string" }, { type: "number" }],
      },
      error: {
        type: "object",
        properties: {
          code: { type: "integer", enum: [SERVER_ERROR] },
          message: { type: "string", description: "For people. Never parse it." },
          data: {
            type: "object",
            properties: {
              mcp: { type: "string", description: "The kind of failure, by a name that starts with `MCP_`." },
              code: { type: "string", description: "For programs: one of the codes in docs/errors.md." },
              req_id: { type: "string", description: "The id of the request in this server's log." },
            },
            required: ["mcp", "code", "req_id"],
          },
        },
        required: ["code", "message", "data"],
      },
    },
    required: ["jsonrpc", "error"],
  },
  example: (fault) => ({ jsonrpc: "2.0", id: 1, error: errorObject(fault, "req_7FJ9QhYB4mXK2vLs") }),
};

const ERRORS = errorResponsesIn(RPC_ERRORS, [
  "origin_not_allowed",
  "host_not_allowed",
  "path_not_allowed",
  "relay_unavailable",
  "too_many_calls",
  "too_many_requests",
  "request_too_large",
  "request_timeout",
  "worker_lost",
  "upstream_unreachable",
  "upstream_error",
  "upstream_timeout",
  "response_too_large",
  "draining",
]);

/** The documentation of the OAuth metadata of a relay's MCP server. */
export const METADATA_DETAIL = {
  tags: [MCP.name],
  operationId: "mcpMetadata",
  summary: "OAuth metadata of an MCP server",
  description:
    "Protected resource metadata (RFC 9728) of the MCP server behind the relay of this id, for relays whose clients sign in with it. For any other relay the answer is 404.",
  security: [],
  responses: {
    200: {
      description: "The MCP server's own document, with its public URL as `resource`.",
      content: { "application/json": { schema: { type: "object" } as SchemaObject } },
    },
    ...errorResponses(
      "origin_not_allowed",
      "host_not_allowed",
      "unknown_url",
      "relay_unavailable",
      "too_many_calls",
      "too_many_requests",
      "worker_lost",
      "upstream_unreachable",
      "upstream_timeout",
      "draining",
    ),
  },
};

const SUMMARIES = {
  post: "Send a message to an MCP server",
  get: "Listen to an MCP server",
  delete: "End a session with an MCP server",
} as const;

const BEARER: Record<string, string[]>[] = [{}, { RelayToken: [] }];

/** The documentation of one verb of a relay's URL; `alias` is what clients may append to it. */
export function callDetail(verb: keyof typeof SUMMARIES, alias: "" | "/mcp" = "") {
  const body: Record<string, { schema: SchemaObject }> = { "application/json": { schema: MESSAGE } };
  const detail = {
    tags: [MCP.name],
    operationId: `mcp${alias === "" ? "" : "Alias"}${verb.charAt(0).toUpperCase()}${verb.slice(1)}`,
    summary: alias === "" ? SUMMARIES[verb] : `${SUMMARIES[verb]} (alias)`,
    description:
      "Streamable HTTP, tunnelled to the relay with this id. A client sees the same as on a direct connection to the MCP server. This server's own failures are JSON-RPC errors with code -32000; their status is never 400, 404 or 405.",
    security: BEARER,
    ...(verb === "post" ? { requestBody: { required: true, content: body } } : {}),
    responses: { 200: ANSWER, ...(verb === "post" ? { 202: ACCEPTED } : {}), ...ERRORS },
  };
  return alias === "" ? detail : shownAs(`/api/mcp/id/{relay_id}${alias}`, { ...detail, parameters: [RELAY_ID] });
}

const RELAY_ID = { name: "relay_id", in: "path", required: true, schema: { type: "string" } } as const;
