import * as v from "valibot";
import {
  type AnswerDoc,
  API_KEY_SECURITY,
  errorResponses,
  jsonAnswer,
  rawAnswer,
  type SchemaObject,
} from "../../openapi/schema.ts";

// How the API's description shows the plugin's routes. None of it runs for a request.

export const TRANSFER = {
  name: "Transfer",
  description: "Bytes piped from one client to another.",
};

const security: Record<string, string[]>[] = [...API_KEY_SECURITY, { ClientKey: [] }];
const BYTES: Record<string, { schema: SchemaObject }> = {
  "application/octet-stream": { schema: { type: "string", format: "binary" } },
};

const BYTES_ANSWER: AnswerDoc = {
  ...rawAnswer("application/octet-stream", "The writer's bytes, with its Content-Type and Content-Disposition."),
  headers: {
    "X-Transfer-Length": {
      description: "The number of bytes, if the writer has declared it.",
      schema: { type: "integer" },
    },
  },
};

const REFUSALS = [
  "invalid_api_key",
  "transfer_not_found",
  "transfer_in_use",
  "transfer_expired",
  "too_many_auth_failures",
  "too_many_requests",
  "rate_limit_exceeded",
  "draining",
  "server_not_answering",
] as const;

export const createDetail = {
  tags: [TRANSFER.name],
  operationId: "transferCreate",
  summary: "Open a channel",
  description: "A channel carries one transfer, from one writer to one reader, which may come in either order.",
  security,
  responses: {
    200: jsonAnswer(
      v.pipe(
        v.object({
          channel_id: v.pipe(
            v.string(),
            v.description("Gives access to the channel, so share it only with the other side."),
          ),
          expires_at: v.pipe(
            v.string(),
            v.isoTimestamp(),
            v.description("The channel ends then unless both sides have come."),
          ),
        }),
        v.description("The channel."),
      ),
    ),
    ...errorResponses("invalid_api_key", "too_many_auth_failures", "too_many_channels", "draining"),
  },
};

export const readDetail = {
  tags: [TRANSFER.name],
  operationId: "transferRead",
  summary: "Read from a channel",
  description:
    "Waits for the writer, then answers with its bytes as they come. A connection that breaks off means that not everything came.",
  security,
  responses: {
    200: BYTES_ANSWER,
    ...errorResponses(...REFUSALS),
  },
};

/** The documentation of the two routes that write. `verb` distinguishes them. */
export function writeDetail(verb: "post" | "put") {
  return {
    tags: [TRANSFER.name],
    operationId: verb === "post" ? "transferWrite" : "transferPut",
    summary: verb === "post" ? "Write to a channel" : "Write to a channel (as curl -T does)",
    description:
      "Sends the body to the reader, no faster than it reads, and answers once the reader was sent all of it.",
    security,
    requestBody: { required: true, content: BYTES },
    responses: {
      200: jsonAnswer(
        v.pipe(
          v.object({ status: v.literal("ok"), bytes: v.number() }),
          v.description("The reader has received everything."),
        ),
      ),
      ...errorResponses("invalid_request", ...REFUSALS, "transfer_broken"),
    },
  };
}
