import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { Fault } from "../errors.ts";
import { countIn, type Query, queryOf } from "../http/query.ts";
import { errorResponses, jsonAnswer, queryParameter, STATE_SECURITY } from "../openapi/schema.ts";
import { type OfServer, placeText, type TrailPlace, toPlace } from "../plugin/joined-trails.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { type AllAudit, type AllAuditQuery, MAX_PAGE } from "./all-audit.ts";
import type { AuditEntry } from "./audit.ts";

const USUAL_LIMIT = 100;

const text = (description: string) => v.pipe(v.nullable(v.string()), v.description(description));

const auditSchema = v.pipe(
  v.object({
    data: v.array(
      v.object({
        id: v.pipe(v.number(), v.description("Grows from entry to entry of one server.")),
        server: v.pipe(v.optional(v.string()), v.description("In a cluster, the server that was asked to act.")),
        at: v.pipe(v.string(), v.description("RFC 3339.")),
        who: v.pipe(v.string(), v.description("The caller's name as in logs: `admin-key:1`.")),
        address: text("The client's address."),
        what: v.pipe(v.string(), v.description("`sign_in`, `worker.drain`, `job.cancel`, `key.create` and the like.")),
        about: text("The id of the worker, job or key that it was about."),
        detail: v.pipe(v.record(v.string(), v.any()), v.description("Further details, which depend on `what`.")),
      }),
    ),
    has_more: v.pipe(v.boolean(), v.description("Whether there are older entries, which `after` gets.")),
    next: v.pipe(v.nullable(v.string()), v.description("What `after` is for the next page; null if there is none.")),
    missing_servers: v.pipe(
      v.array(v.string()),
      v.description("In a cluster, the servers that have not answered, so that their entries are not here."),
    ),
  }),
  v.description("What operators did, the newest first."),
);

/** `GET /api/audit`, for operators. */
export function auditRoutes(audit: AllAudit, auth: { readonly operators: Pick<OperatorDoor, "read"> }): AnyElysia {
  return createRoutes().get(
    "/api/audit",
    async ({ visit }) => {
      auth.operators.read(visit);
      const { entries, next, missing } = await audit.read(parseAuditQuery(queryOf(visit.request), audit.serverId));
      const answer = {
        data: entries.map(toJson),
        has_more: next !== undefined,
        next: next ? placeText(next) : null,
        missing_servers: missing,
      };
      return Response.json(answer, { headers: { "cache-control": "no-store" } });
    },
    {
      detail: {
        tags: ["State"],
        security: STATE_SECURITY,
        summary: "What operators did",
        description:
          "Sign-ins, actions on workers and jobs, and changes of keys, each with who did it. With `DATA_DIR`, the last 100,000 entries of the last 13 months are kept; without it, the last 1,000 until a restart. In a cluster, the server that was asked to act keeps the entry, and any server answers for all.",
        parameters: [
          queryParameter("limit", `The most entries to return, up to ${MAX_PAGE}. Default: ${USUAL_LIMIT}.`, "integer"),
          queryParameter("after", "The `next` of the previous page."),
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

function parseAuditQuery(query: Query, serverId: string): AllAuditQuery {
  return {
    limit: countIn(query, "limit", MAX_PAGE) ?? USUAL_LIMIT,
    after: placeIn(query("after"), serverId),
    who: query("who"),
    what: query("what"),
    about: query("about"),
  };
}

function placeIn(written: string | undefined, serverId: string): TrailPlace | undefined {
  if (written === undefined) return undefined;
  const place = toPlace(written, serverId);
  if (place) return place;
  throw new Fault("invalid_request", { message: "'after' must be the `next` of an earlier page.", param: "after" });
}

function toJson({ server, entry: { id, at, who, address, what, about, detail } }: OfServer<AuditEntry>): object {
  return {
    id,
    ...(server !== "" && { server }),
    at: new Date(at).toISOString(),
    who,
    address: address ?? null,
    what,
    about: about ?? null,
    detail: detail ?? {},
  };
}
