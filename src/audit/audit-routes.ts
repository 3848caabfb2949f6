import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { countIn, type Query, queryOf } from "../http/query.ts";
import { errorResponses, jsonAnswer, queryParameter, STATE_SECURITY } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { AuditEntry, AuditQuery, AuditTrail } from "./audit.ts";

const USUAL_LIMIT = 100;
const MAX_LIMIT = 1000;

const text = (description: string) => v.pipe(v.nullable(v.string()), v.description(description));

const auditSchema = v.pipe(
  v.object({
    data: v.array(
      v.object({
        id: v.number(),
        at: v.pipe(v.string(), v.description("RFC 3339.")),
        who: v.pipe(v.string(), v.description("The caller's name as in logs: `admin-key:1`.")),
        address: text("The client's address."),
        what: v.pipe(v.string(), v.description("`sign_in`, `worker.drain`, `job.cancel`, `key.create` and the like.")),
        about: text("The id of the worker, job or key that it was about."),
        detail: v.pipe(v.record(v.string(), v.any()), v.description("Further details, which depend on `what`.")),
      }),
    ),
    has_more: v.pipe(v.boolean(), v.description("Whether there are older entries, which `after` gets.")),
  }),
  v.description("What operators did, the newest first."),
);

/** `GET /api/audit`, for operators. */
export function auditRoutes(trail: AuditTrail, auth: { readonly operators: Pick<OperatorDoor, "read"> }): AnyElysia {
  return createRoutes().get(
    "/api/audit",
    ({ visit }) => {
      auth.operators.read(visit);
      const query = parseAuditQuery(queryOf(visit.request));
      const entries = trail.read({ ...query, limit: query.limit + 1 });
      const data = entries.slice(0, query.limit).map(toJson);
      return Response.json(
        { data, has_more: entries.length > data.length },
        { headers: { "cache-control": "no-store" } },
      );
    },
    {
      detail: {
        tags: ["State"],
        security: STATE_SECURITY,
        summary: "What operators did",
        description:
          "Sign-ins, actions on workers and jobs, and changes of keys, each with who did it. With `DATA_DIR`, the last 100,000 entries of the last 13 months are kept; without it, the last 1,000 until a restart. In a cluster, the server that was asked to act keeps the entry.",
        parameters: [
          queryParameter(
            "limit",
            `The most entries to return, up to ${MAX_LIMIT}. Default: ${USUAL_LIMIT}.`,
            "integer",
          ),
          queryParameter("after", "The `id` of the last entry of the previous page.", "integer"),
          queryParameter("who", "Only entries of this caller."),
          queryParameter("what", "Only entries of this kind."),
          queryParameter("about", "Only entries about this worker, job or key."),
        ],
        responses: {
          200: jsonAnswer(auditSchema),
          ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures"),
        },
      },
    },
  );
}

function parseAuditQuery(query: Query): AuditQuery {
  return {
    limit: countIn(query, "limit", MAX_LIMIT) ?? USUAL_LIMIT,
    before: countIn(query, "after", Number.MAX_SAFE_INTEGER),
    who: query("who"),
    what: query("what"),
    about: query("about"),
  };
}

function toJson({ id, at, who, address, what, about, detail }: AuditEntry): object {
  return {
    id,
    at: new Date(at).toISOString(),
    who,
    address: address ?? null,
    what,
    about: about ?? null,
    detail: detail ?? {},
  };
}
