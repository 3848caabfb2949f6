import { errorResponses, rawAnswer } from "../openapi/schema.ts";

// What the OpenAPI document says about the routes by which programs get access to connector relays.

const security: Record<string, string[]>[] = [];
const tags = ["MCP"];
const JSON_OBJECT = { type: "object" as const, additionalProperties: true };
const json = (description: string) => ({ description, content: { "application/json": { schema: JSON_OBJECT } } });

const form = (properties: Record<string, { type: "string"; description?: string }>, required: string[]) => ({
  required: true,
  content: {
    "application/x-www-form-urlencoded": {
      schema: { type: "object" as const, properties, ...(required.length > 0 && { required }) },
    },
  },
});

const text = { type: "string" } as const;

export const METADATA_DETAIL = {
  tags,
  security,
  summary: "Metadata of the authorization server",
  description:
    "RFC 8414, for MCP servers whose relays run with `--access connector`. Programs find it by the metadata of the relay. 404 if there is no such relay.",
  responses: { 200: json("The endpoints, and what they accept."), ...errorResponses("unknown_url") },
};

export const AUTHORIZE_DETAIL = {
  tags,
  security,
  summary: "Page on which people let a program in",
  description:
    "A program sends the browser of its user here: OAuth's authorization code flow with PKCE (S256) and `resource`, the URL of the relay.",
  parameters: [
    "client_id",
    "redirect_uri",
    "response_type",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "state",
  ].map((name) => ({ name, in: "query" as const, required: name !== "state", schema: text })),
  responses: {
    200: rawAnswer("text/html", "The page, which asks for a key."),
    303: { description: "The program is told by its redirect URI why this is not possible." },
    400: rawAnswer("text/html", "The program or its redirect URI is not known here."),
    404: rawAnswer("text/html", "No such relay is connected."),
    ...errorResponses("unknown_url", "too_many_requests"),
  },
};

export const DECIDE_DETAIL = {
  tags,
  security,
  summary: "Let a program in, or not",
  description: "Takes the form of the page.",
  requestBody: form({ handle: text, decision: text, key: text }, ["handle", "decision"]),
  responses: {
    303: { description: "The program gets a code, or is told that it was not let in." },
    400: rawAnswer("text/html", "The page is older than ten minutes, was used, or belongs to another browser."),
    401: rawAnswer("text/html", "The page, which says that the key is not valid."),
    403: rawAnswer("text/html", "The page, which says that the key may not use this MCP server."),
    ...errorResponses("unknown_url", "request_too_large", "request_timeout"),
  },
};

export const TOKEN_DETAIL = {
  tags,
  security,
  summary: "Get, refresh or revoke a token",
  description:
    "Exchanges a code or a refresh token for tokens that are good for one relay. With `token` and without `grant_type`, it revokes a token (RFC 7009).",
  requestBody: form(
    {
      grant_type: { ...text, description: "`authorization_code` or `refresh_token`." },
      code: text,
      code_verifier: text,
      redirect_uri: text,
      refresh_token: text,
      client_id: text,
      client_secret: text,
      resource: text,
      token: { ...text, description: "The token to revoke." },
    },
    [],
  ),
  responses: {
    200: json("The tokens."),
    400: json("OAuth's error, such as `invalid_grant`."),
    401: json("`invalid_client`: the client is not registered here, or its secret is wrong."),
    503: json("`temporarily_unavailable`."),
    ...errorResponses("unknown_url"),
  },
};

export const REGISTER_DETAIL = {
  tags,
  security,
  summary: "Register a program",
  description: "RFC 7591. A registration is forgotten 90 days after its last use.",
  requestBody: { required: true, content: { "application/json": { schema: JSON_OBJECT } } },
  responses: {
    201: json("The program's id, and a secret if it wants one."),
    400: json("`invalid_client_metadata`."),
    429: json("`temporarily_unavailable`: too many registrations from this address."),
    503: json("`temporarily_unavailable`."),
    ...errorResponses("unknown_url"),
  },
};
