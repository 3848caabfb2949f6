import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { Fault } from "../errors.ts";
import { errorResponses, jsonAnswer, STATE_SECURITY } from "../openapi/schema.ts";
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
        detail: v.pipe(v.record(v.string(), v.any()), v.description("More about it, by its kind.")),
      }),
    ),
    has_more: v.pipe(v.boolean(), v.description("Whether there are older entries: ask with `after`.")),
  }),
  v.description("What operators did, the newest first."),
);

/** `GET /api/audit`, for operators. */
export function auditRoutes(trail: AuditTrail, auth: { readonly operators: Pick<OperatorDoor, "read"> }): AnyElysia {
  return createRoutes().get(
    "/api/audit",
    ({ visit }) => {
      auth.operators.read(visit);
      const query = parseAuditQuery(URL.parse(visit.request.url)?.searchParams ?? new URLSearchParams());
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
          parameter("limit", `The most entries to return: ${USUAL_LIMIT}, or up to ${MAX_LIMIT}.`, "integer"),
          parameter("after", "The `id` of the last entry of the page before.", "integer"),
          parameter("who", "Only entries of this caller."),
          parameter("what", "Only entries of this kind."),
          parameter("about", "Only entries about this worker, job or key."),
        ],
        responses: {
          200: jsonAnswer(auditSchema),
          ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures"),
        },
      },
    },
  );
}

function parseAuditQuery(parameters: URLSearchParams): AuditQuery {
  const given = (name: string): string | undefined => parameters.get(name)?.trim() || undefined;
  const number = (name: string, max: number): number | undefined => {
    const written = given(name);
    if (written === undefined) return undefined;
    const value = /^\d{1,15}$/.test(written) ? Number(written) : 0;
    if (value >= 1 && value <= max) return value;
    throw new Fault("invalid_request", { message: `'${name}' must be a whole number from 1 to ${max}.`, param: name });
  };
  return {
    limit: number("limit", MAX_LIMIT) ?? USUAL_LIMIT,
    before: number("after", Number.MAX_SAFE_INTEGER),
    who: given("who"),
    what: given("what"),
    about: given("about"),
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

function parameter(name: string, description: string, type: "string" | "integer" = "string") {
  return { name, in: "query", schema: { type }, description } as const;
}
