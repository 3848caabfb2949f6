import type { AnyElysia } from "elysia";
import type { Audit } from "../audit/audit.ts";
import type { Auth } from "../auth/auth.ts";
import type { Caller } from "../auth/caller.ts";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { type ErrorCode, Fault } from "../errors.ts";
import { countIn, queryOf } from "../http/query.ts";
import { API_KEY_SECURITY, errorResponses, jsonAnswer, queryParameter, STATE_SECURITY } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { grantJson } from "./grant-json.ts";
import { grantListSchema, grantSchema } from "./grant-schema.ts";
import type { GrantView } from "./grant-view.ts";
import type { GrantFacts, Grants } from "./grants.ts";

export interface GrantRoutesOptions {
  readonly auth: Pick<Auth, "addressOf" | "ask"> & { readonly operators: Pick<OperatorDoor, "read" | "act"> };
  readonly grants: Grants;
  readonly audit: Audit;
  /** Returns the name of a created key; undefined for one that is gone. */
  readonly nameOfKey: (keyId: string) => string | undefined;
}

const USUAL_LIMIT = 100;
const MAX_LIMIT = 1000;
const RETRY_AFTER_S = 5;
const ONLY_HERE =
  "This server has ended the access, but cannot reach the records of its cluster in NATS. It ends the access at the other servers as soon as it can. If it is restarted before that, revoke the access again.";
const NO_STORE = { headers: { "cache-control": "no-store" } };

/**
 * The grants that people gave to programs: `/api/mcp/grants` for operators, and `/api/key/grants` for the holder of a key, who
 * sees those of that key.
 */
export function grantRoutes({ auth, grants, audit, nameOfKey }: GrantRoutesOptions): AnyElysia {
  const toJson = (grant: GrantFacts): GrantView => grantJson(grant, nameOfKey);
  const list = (request: Request, mine: (grant: GrantFacts) => boolean): Response => {
    const { data, hasMore, total } = page(request, grants.list().filter(mine));
    return Response.json({ data: data.map(toJson), has_more: hasMore, total }, NO_STORE);
  };
  const revoke = async (id: string, who: string, address: string | undefined): Promise<Response> => {
    const revoked = await grants.revoke(id);
    if (!revoked) throw new Fault("grant_not_found");
    const json = toJson(revoked.grant);
    const named = { client: json.client.name, relay: json.relay, holder: json.holder.name };
    const detail = revoked.areAllTold ? named : { ...named, only_here: true };
    audit.note({ who, address, what: "grant.revoke", about: id, detail });
    if (!revoked.areAllTold) throw new Fault("keys_unavailable", { message: ONLY_HERE, retryAfterS: RETRY_AFTER_S });
    return Response.json(json, NO_STORE);
  };
  return createRoutes()
    .get(
      "/api/mcp/grants",
      ({ visit }) => {
        auth.operators.read(visit);
        return list(visit.request, () => true);
      },
      {
        detail: {
          ...FOR_OPERATORS,
          summary: "List grants",
          description:
            "Which programs people have let in to MCP servers whose relays run with `--access connector`, of all servers of a cluster.",
          parameters: [
            ...PAGE,
            queryParameter("relay", "Only grants for the relay of this id."),
            queryParameter("key", "Only grants that this key has given, by its id or name."),
          ],
          responses: { 200: jsonAnswer(grantListSchema), ...errorsFor("invalid_request") },
        },
      },
    )
    .delete(
      "/api/mcp/grants/:id",
      ({ visit, params }) => {
        const { name } = auth.operators.act(visit);
        return revoke(params.id, name, auth.addressOf(visit));
      },
      {
        parse: "none",
        detail: {
          ...FOR_OPERATORS,
          summary: "Revoke a grant",
          description: REVOKED,
          parameters: [ID],
          responses: {
            200: jsonAnswer(grantSchema),
            ...errorsFor("grant_not_found", "viewer_not_allowed", "origin_not_allowed"),
          },
        },
      },
    )
    .get(
      "/api/key/grants",
      ({ visit }) => {
        const caller = auth.ask(visit, "api");
        return list(visit.request, (grant) => isOf(grant, caller));
      },
      {
        detail: {
          ...FOR_HOLDERS,
          summary: "List the grants of the key of this request",
          description: "Which programs the holder of the key has let in. Keys of settings have no list of their own.",
          parameters: [...PAGE, queryParameter("relay", "Only grants for the relay of this id.")],
          responses: { 200: jsonAnswer(grantListSchema), ...errorsFor("invalid_request", ...KEY_ENDED) },
        },
      },
    )
    .delete(
      "/api/key/grants/:id",
      ({ visit, params }) => {
        const caller = auth.ask(visit, "api");
        // To its holder, the grant of somebody else does not exist.
        if (!grants.list().some((grant) => grant.id === params.id && isOf(grant, caller)))
          throw new Fault("grant_not_found");
        return revoke(params.id, caller.name, auth.addressOf(visit));
      },
      {
        parse: "none",
        detail: {
          ...FOR_HOLDERS,
          summary: "Revoke a grant of the key of this request",
          description: REVOKED,
          parameters: [ID],
          responses: { 200: jsonAnswer(grantSchema), ...errorsFor("grant_not_found", ...KEY_ENDED) },
        },
      },
    );

  function page(request: Request, all: readonly GrantFacts[]): Page {
    const query = queryOf(request);
    const [relay, key, after] = [query("relay"), query("key"), query("after")];
    const limit = countIn(query, "limit", MAX_LIMIT) ?? USUAL_LIMIT;
    const wanted = all.filter(
      (grant) => (relay === undefined || grant.relay === relay) && (key === undefined || isOfKey(grant, key)),
    );
    // A grant that has been revoked since the previous page leaves no place to go on from, so the list begins again.
    const from = after === undefined ? 0 : wanted.findIndex(({ id }) => id === after) + 1;
    return { data: wanted.slice(from, from + limit), hasMore: wanted.length > from + limit, total: wanted.length };
  }

  function isOfKey({ holder }: GrantFacts, key: string): boolean {
    if (holder.kind !== "key") return false;
    if (holder.keyId === undefined) return holder.name === key;
    return holder.keyId === key || nameOfKey(holder.keyId) === key;
  }
}

interface Page {
  readonly data: readonly GrantFacts[];
  readonly hasMore: boolean;
  readonly total: number;
}

/** Whether a grant was given with the key of this caller. Only keys that the server has created keep their names for good. */
function isOf({ holder }: GrantFacts, { keyId }: Caller): boolean {
  return holder.kind === "key" && keyId !== undefined && holder.keyId === keyId;
}

const FOR_OPERATORS = { tags: ["MCP"], security: STATE_SECURITY };
const FOR_HOLDERS = { tags: ["Keys"], security: API_KEY_SECURITY };
const REVOKED =
  "The program's tokens are refused from now on, and its running calls and streams end within a second. To get in again it must ask a person.";
const PAGE = [
  queryParameter("limit", `The most grants to return, up to ${MAX_LIMIT}. Default: ${USUAL_LIMIT}.`, "integer"),
  queryParameter("after", "The `id` of the last grant of the previous page."),
];
const ID = {
  name: "id",
  in: "path",
  required: true,
  schema: { type: "string" },
  description: "The id of the grant, as in the list.",
} as const;
const KEY_ENDED = ["key_expired", "key_revoked", "key_rotated"] as const satisfies readonly ErrorCode[];

function errorsFor(...codes: readonly ErrorCode[]): ReturnType<typeof errorResponses> {
  return errorResponses(...codes, "keys_unavailable", "invalid_api_key", "too_many_auth_failures");
}
