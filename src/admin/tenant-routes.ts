import type { AnyElysia } from "elysia";
import type { Auth } from "../auth/auth.ts";
import type { OperatorDoor } from "../auth/operator-door.ts";
import type { ErrorCode } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { TenantEntry } from "../keys/tenant-entry.ts";
import { tenantSpecSchema } from "../keys/tenant-spec.ts";
import type { LimitState } from "../limits/limit-state.ts";
import { errorResponses, jsonAnswer, queryParameter, STATE_SECURITY, schemaOf } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Clock } from "../system/deps.ts";
import type { Asker } from "./key-desk.ts";
import { MAX_LIMIT, readJson, readPageQuery, USUAL_LIMIT } from "./key-request.ts";
import { tenantListSchema, tenantSchema } from "./key-schema.ts";
import type { TenantDesk } from "./tenant-desk.ts";
import { tenantJson } from "./tenant-json.ts";

export interface TenantRoutesOptions {
  readonly auth: Pick<Auth, "addressOf"> & { readonly operators: Pick<OperatorDoor, "read" | "act"> };
  readonly clock: Clock;
  readonly desk: TenantDesk;
  /** Returns what counts towards the limits of a tenant now. */
  readonly limitStates: (entry: TenantEntry) => readonly LimitState[];
}

const NO_STORE = { headers: { "cache-control": "no-store" } };

/** `/api/tenants`, for operators: the limits that all keys of a tenant share. */
export function tenantRoutes({ auth, clock, desk, limitStates }: TenantRoutesOptions): AnyElysia {
  const toJson = (entry: TenantEntry): object => tenantJson(entry, limitStates(entry));
  const askerOf = (visit: Visit): Asker => ({
    by: auth.operators.act(visit).name,
    address: auth.addressOf(visit),
  });
  return createRoutes()
    .get(
      "/api/tenants",
      ({ visit }) => {
        auth.operators.read(visit);
        const { data, hasMore, total } = desk.list(readPageQuery(visit.request));
        return Response.json({ data: data.map(toJson), has_more: hasMore, total }, NO_STORE);
      },
      {
        detail: {
          ...COMMON,
          summary: "List tenants with limits",
          description: "The tenants whose keys share limits, by their names. Other tenants are not here.",
          parameters: [
            queryParameter(
              "limit",
              `The most tenants to return, up to ${MAX_LIMIT}. Default: ${USUAL_LIMIT}.`,
              "integer",
            ),
            queryParameter("after", "The `name` of the last tenant of the previous page."),
            queryParameter("offset", "How many tenants to skip at the beginning.", "integer"),
          ],
          responses: { 200: jsonAnswer(tenantListSchema), ...errors() },
        },
      },
    )
    .get(
      "/api/tenants/:name",
      ({ visit, params }) => {
        auth.operators.read(visit);
        return Response.json(toJson(desk.find(params.name)), NO_STORE);
      },
      {
        detail: {
          ...COMMON,
          summary: "Show the limits of a tenant",
          responses: { 200: jsonAnswer(tenantSchema), ...errors("tenant_not_found") },
        },
      },
    )
    .put(
      "/api/tenants/:name",
      async ({ visit, params }) => {
        const asker = askerOf(visit);
        return Response.json(toJson(desk.set(params.name, await readJson(visit.request, clock), asker)), NO_STORE);
      },
      {
        parse: "none",
        detail: {
          ...COMMON,
          summary: "Set the limits of a tenant",
          description:
            "The limits replace those that the tenant had, and all keys that name it share them. They hold beside the limits of each key: a request must pass both.",
          requestBody: {
            required: true,
            content: { "application/json": { schema: schemaOf(tenantSpecSchema, "input"), example: EXAMPLE } },
          },
          responses: {
            200: jsonAnswer(tenantSchema),
            ...errors("invalid_json", "request_too_large", "tenant_in_file", ...WRITING),
          },
        },
      },
    )
    .delete(
      "/api/tenants/:name",
      ({ visit, params }) => {
        const asker = askerOf(visit);
        return Response.json(toJson(desk.remove(params.name, asker)), NO_STORE);
      },
      {
        detail: {
          ...COMMON,
          summary: "Remove the limits of a tenant",
          description: "Its keys keep their own limits. The answer shows the limits that were removed.",
          responses: { 200: jsonAnswer(tenantSchema), ...errors("tenant_not_found", "tenant_in_file", ...WRITING) },
        },
      },
    );
}

const EXAMPLE = { limits: { parallel: 8, tokens_per_day: "5M", timezone: "Europe/Berlin" } };
const COMMON = { tags: ["Keys"], security: STATE_SECURITY };
const WRITING = ["keys_not_kept", "keys_unavailable", "origin_not_allowed", "viewer_not_allowed"] as const;

function errors(...codes: readonly ErrorCode[]) {
  return errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures", ...codes);
}
