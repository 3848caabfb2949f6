import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { queryOf } from "../http/query.ts";
import { errorResponses, jsonAnswer, queryParameter, rawAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import { placeText } from "../plugin/joined-trails.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { type AllCalls, MAX_PAGE } from "./all-calls.ts";
import { CallExport } from "./call-export.ts";
import { type CallRequest, pageLimit, parseCallRequest, USUAL_LIMIT } from "./call-parameters.ts";
import { callSchema, toCallJson } from "./call-text.ts";
import { OUTCOMES } from "./past-call.ts";

export interface CallRoutesOptions {
  readonly auth: { readonly operators: Pick<OperatorDoor, "read"> };
  readonly calls: AllCalls;
  /** The most calls that this server keeps; absent if that is not known. */
  readonly kept?: number;
}

const JSON_LINES = "application/x-ndjson";
/** Names the servers whose calls are not in an export. */
const MISSING_HEADER = "x-moorage-missing-servers";

const pageSchema = v.pipe(
  v.object({
    data: v.array(callSchema),
    has_more: v.pipe(v.boolean(), v.description("Whether there are older calls, which `after` gets.")),
    next: v.pipe(v.nullable(v.string()), v.description("What `after` is for the next page; null if there is none.")),
    missing_servers: v.pipe(
      v.array(v.string()),
      v.description("In a cluster, the servers that have not answered, so that their calls are not here."),
    ),
    kept: v.pipe(v.nullable(v.number()), v.description("The most calls that this server keeps: MCP_CALLS_KEPT.")),
  }),
  v.description("Calls of MCP servers, the newest first."),
);

/** `GET /api/mcp/calls`, for operators. */
export function callRoutes({ auth, calls, kept }: CallRoutesOptions): AnyElysia {
  return createRoutes().get(
    "/api/mcp/calls",
    async ({ visit }) => {
      const { mayAct, isCurrent } = auth.operators.read(visit);
      const request = parseCallRequest(queryOf(visit.request), calls.serverId);
      if (wantsLines(request, visit.request.headers)) return exported(calls, request, mayAct, isCurrent);
      const { entries, next, missing } = await calls.read({ ...request, limit: pageLimit(request) });
      const answer = {
        data: entries.map((call) => toCallJson(call, mayAct)),
        has_more: next !== undefined,
        next: next ? placeText(next) : null,
        missing_servers: missing,
        kept: kept ?? null,
      };
      return Response.json(answer, { headers: { "cache-control": "no-store" } });
    },
    { detail: DETAIL },
  );
}

async function exported(
  calls: AllCalls,
  { limit, ...query }: CallRequest,
  withArguments: boolean,
  isCurrent: () => boolean,
): Promise<Response> {
  const { body, missing } = await new CallExport({
    calls,
    query,
    limit: limit ?? Number.MAX_SAFE_INTEGER,
    lineOf: (call) => JSON.stringify(toCallJson(call, withArguments)),
    isCurrent,
  }).open();
  return new Response(body, {
    headers: {
      "content-type": JSON_LINES,
      "cache-control": "no-store",
      "content-disposition": 'attachment; filename="mcp-calls.jsonl"',
      ...(missing.length > 0 && { [MISSING_HEADER]: missing.join(", ") }),
    },
  });
}

/** Whether JSON lines are asked for. Browsers and clients that take anything get JSON. */
function wantsLines({ format }: CallRequest, headers: Headers): boolean {
  if (format !== undefined) return format === "jsonl";
  return /(?:^|,)\s*application\/(?:x-ndjson|jsonl)\b/i.test(headers.get("accept") ?? "");
}

const DETAIL = {
  tags: ["State"],
  security: STATE_SECURITY,
  summary: "Calls of MCP servers",
  description:
    "The calls of tools, prompts and resources that clients have made through relays, also those that were denied, refused or failed. With `DATA_DIR`, the last MCP_CALLS_KEPT calls of the last 13 months are kept; without it, at most the last 10,000 until a restart. A tenth of the room is for calls that were refused, which push out no others. With `Accept: application/x-ndjson` or `format=jsonl`, all of them are sent as JSON lines, the newest first. In a cluster, the server that the client has called keeps the call, and any server answers for all.",
  parameters: [
    queryParameter(
      "limit",
      `The most calls to return, up to ${MAX_PAGE}; default: ${USUAL_LIMIT}. JSON lines have no limit by default.`,
      "integer",
    ),
    queryParameter("after", "The `next` of the previous page."),
    queryParameter("relay", "Only calls of the relay with this id."),
    queryParameter(
      "caller",
      "Only calls of this caller: its name, the id of its key, or its name by the relay's list.",
    ),
    queryParameter("tenant", "Only calls of callers of this tenant."),
    queryParameter(
      "name",
      "Only calls of this tool, prompt or resource; with `*` at the end, of all whose names begin so.",
    ),
    queryParameter("method", "Only calls of this method."),
    queryParameter("outcome", `Only calls with this outcome: ${OUTCOMES.join(", ")}.`),
    queryParameter("since", "Only calls that ended at this time or later: a date, or an RFC 3339 time."),
    queryParameter("until", "Only calls that ended before this time."),
    queryParameter(
      "search",
      "Words, each of which occurs in one of the texts of the call. Arguments are not searched.",
    ),
    queryParameter("format", "`jsonl` for JSON lines, `json` for JSON; without it, `Accept` decides."),
  ],
  responses: {
    200: {
      ...jsonAnswer(pageSchema),
      content: { ...jsonAnswer(pageSchema).content, ...rawAnswer(JSON_LINES, "").content },
    },
    ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures", "too_many_requests"),
  },
};
