import type { AnyElysia } from "elysia";
import { countIn, queryOf } from "../../../http/query.ts";
import {
  API_KEY_SECURITY,
  errorResponses,
  jsonAnswer,
  queryParameter,
  STATE_SECURITY,
} from "../../../openapi/schema.ts";
import { createRoutes } from "../../../plugin/route-context.ts";
import { toLegacyId } from "../../../tunnel/legacy-id.ts";
import { MCP } from "../openapi.ts";
import { Catalog, type CatalogOptions } from "./catalog.ts";
import { listSchema, relaySchema } from "./catalog-schema.ts";
import { viewerOf } from "./viewers.ts";

const MAX_PAGE = 1000;
const USUAL_LIMIT = 100;
/** Two viewers get different answers from one URL. */
const HEADERS = { "cache-control": "private, no-store", vary: "Authorization, Cookie" };
const SECURITY = [...STATE_SECURITY, ...API_KEY_SECURITY];
const ERRORS = ["invalid_api_key", "too_many_auth_failures"] as const;
const WHO =
  "Operators see all relays. With admin keys or roles configured, the holder of a client's key sees the relays with `connector` access that the key may call, and of these what its rules allow.";

/** `GET /api/mcp/catalog` and `GET /api/mcp/catalog/{relay_id}`. */
export function catalogRoutes(options: CatalogOptions): AnyElysia {
  const catalog = new Catalog(options);
  const { auth } = options;
  return createRoutes()
    .get(
      "/api/mcp/catalog",
      async ({ visit }) => {
        const viewer = viewerOf(auth, visit);
        const query = queryOf(visit.request);
        const page = { limit: countIn(query, "limit", MAX_PAGE) ?? USUAL_LIMIT, after: query("after") };
        return Response.json(await catalog.list(visit, viewer, page), { headers: HEADERS });
      },
      {
        detail: {
          tags: [MCP.name],
          operationId: "mcpCatalog",
          security: SECURITY,
          summary: "List MCP relays and how to use them",
          description: `${WHO} In a cluster, any server answers for all.`,
          parameters: [
            queryParameter(
              "limit",
              `The most relays to return, up to ${MAX_PAGE}. Default: ${USUAL_LIMIT}.`,
              "integer",
            ),
            queryParameter("after", "The `next` of the previous page."),
          ],
          responses: { 200: jsonAnswer(listSchema), ...errorResponses("invalid_request", ...ERRORS) },
        },
      },
    )
    .get(
      "/api/mcp/catalog/:relay_id",
      async ({ visit, params }) => {
        const viewer = viewerOf(auth, visit);
        const answer = await catalog.show(visit, viewer, toLegacyId(params?.["relay_id"] ?? ""));
        return Response.json(answer, { headers: HEADERS });
      },
      {
        detail: {
          tags: [MCP.name],
          operationId: "mcpCatalogRelay",
          security: SECURITY,
          summary: "Show what an MCP server offers",
          description: `The tools with their schemas, the prompts and the resources of the MCP server behind a relay. ${WHO} The relay reads the lists itself and keeps them for a minute. All texts in them are the MCP server's.`,
          responses: {
            200: jsonAnswer(relaySchema),
            ...errorResponses("relay_unavailable", "too_many_calls", ...ERRORS),
          },
        },
      },
    );
}
