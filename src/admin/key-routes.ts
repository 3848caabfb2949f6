import type { AnyElysia } from "elysia";
import type { Auth } from "../auth/auth.ts";
import type { OperatorDoor } from "../auth/operator-door.ts";
import type { ErrorCode } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import { keyPatchSchema, keySpecSchema } from "../keys/key-spec.ts";
import type { LimitState } from "../limits/limit-state.ts";
import {
  type AnswerDoc,
  errorResponses,
  jsonAnswer,
  queryParameter,
  STATE_SECURITY,
  schemaOf,
} from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Clock } from "../system/deps.ts";
import type { Asker, KeyDesk } from "./key-desk.ts";
import { keyJson } from "./key-json.ts";
import { listKeys } from "./key-list.ts";
import { idempotencyKeyOf, MAX_LIMIT, readJson, readListQuery, SORTS, USUAL_LIMIT } from "./key-request.ts";
import { keyListSchema, keySchema, rotateSchema, shownKeySchema } from "./key-schema.ts";

export interface KeyRoutesOptions {
  readonly auth: Pick<Auth, "addressOf"> & { readonly operators: Pick<OperatorDoor, "read" | "act"> };
  readonly clock: Clock;
  readonly desk: KeyDesk;
  /** Returns what counts towards the limits of a key now. */
  readonly limitStates: (entry: KeyEntry) => readonly LimitState[];
}

const NO_STORE = { headers: { "cache-control": "no-store" } };

/** `/api/keys`, for operators. */
export function keyRoutes({ auth, clock, desk, limitStates }: KeyRoutesOptions): AnyElysia {
  const toJson = (entry: KeyEntry): object => keyJson(entry, limitStates(entry), clock.now());
  const answer = (entry: KeyEntry): Response => Response.json(toJson(entry), NO_STORE);
  const shown = (entry: KeyEntry, key: string, status: number): Response =>
    Response.json({ id: entry.id, key, ...toJson(entry) }, { ...NO_STORE, status });
  const askerOf = (visit: Visit): Asker => ({
    by: auth.operators.act(visit).name,
    address: auth.addressOf(visit),
    idempotencyKey: idempotencyKeyOf(visit.request),
  });
  return createRoutes()
    .post(
      "/api/keys",
      async ({ visit }) => {
        const asker = askerOf(visit);
        const { entry, text } = await desk.create(await readJson(visit.request, clock), asker);
        return shown(entry, text, 201);
      },
      {
        parse: "none",
        detail: {
          ...COMMON,
          summary: "Create a key",
          description:
            "The response is the only one that shows the key. For an hour, a request that is repeated with the same `Idempotency-Key` gets the same response. The kind `join` creates a join token, which workers trade for keys of their own: `models`, `tenants` and `max_slots` are those of these keys, `max_uses` and `expires_at` say how many workers it lets in, and until when.",
          parameters: [IDEMPOTENCY_KEY],
          requestBody: bodyOf(schemaOf(keySpecSchema, "input"), SPEC_EXAMPLE),
          responses: {
            201: jsonAnswer(shownKeySchema),
            ...errors("invalid_json", "request_too_large", "key_already_shown", ...CHANGE_CODES),
          },
        },
      },
    )
    .get(
      "/api/keys",
      ({ visit }) => {
        auth.operators.read(visit);
        const { data, hasMore, total } = listKeys(desk.book.list(), readListQuery(visit.request), clock.now());
        return Response.json({ data: data.map(toJson), has_more: hasMore, total }, NO_STORE);
      },
      {
        detail: {
          ...COMMON,
          summary: "List keys",
          description:
            "Made keys, including expired and revoked ones, and the keys of `KEYS_FILE`. The keys of `API_KEY` are not listed.",
          parameters: [
            queryParameter("limit", `The most keys to return, up to ${MAX_LIMIT}. Default: ${USUAL_LIMIT}.`, "integer"),
            queryParameter("after", "The `id` of the last key of the previous page."),
            queryParameter("offset", "How many keys to skip at the beginning.", "integer"),
            queryParameter("name", "Only keys of this name."),
            queryParameter("tenant", "Only keys of this tenant."),
            queryParameter("kind", "Only `client`, `worker`, `admin` or `join`."),
            queryParameter("status", "Only `active`, `used_up`, `expired` or `revoked`."),
            queryParameter(
              "search",
              "Words that must all occur in a key's name, id, hint, tenant, models, worker id or creator.",
            ),
            queryParameter(
              "sort",
              `The order: ${SORTS.map((each) => `\`${each}\``).join(", ")}; after a minus sign, the reverse. Default: \`created\`.`,
            ),
          ],
          responses: { 200: jsonAnswer(keyListSchema), ...errors() },
        },
      },
    )
    .get(
      "/api/keys/:id",
      ({ visit, params }) => {
        auth.operators.read(visit);
        return answer(desk.find(params.id));
      },
      {
        detail: {
          ...COMMON,
          summary: "Show a key",
          parameters: [ID],
          responses: { 200: jsonAnswer(keySchema), ...errors("key_not_found") },
        },
      },
    )
    .patch(
      "/api/keys/:id",
      async ({ visit, params }) => {
        const asker = askerOf(visit);
        return answer(await desk.update(params.id, await readJson(visit.request, clock), asker));
      },
      {
        parse: "none",
        detail: {
          ...COMMON,
          summary: "Change what a key allows",
          description:
            "Fields that are not sent stay as they are, and `null` removes one. The change applies immediately, and what was used still counts.",
          parameters: [ID],
          requestBody: bodyOf(schemaOf(keyPatchSchema, "input"), { limits: { parallel: 8, tokens_per_day: null } }),
          responses: {
            200: jsonAnswer(keySchema),
            ...errors("invalid_json", "key_not_found", "key_in_file", "request_too_large", ...CHANGE_CODES),
          },
        },
      },
    )
    .delete("/api/keys/:id", async ({ visit, params }) => answer(await desk.revoke(params.id, askerOf(visit))), {
      parse: "none",
      detail: {
        ...COMMON,
        summary: "Revoke a key",
        description:
          "Revokes the key, immediately and for good. It stays in the list, so that its usage keeps a name. Revoking it again changes nothing.",
        parameters: [ID],
        responses: {
          200: jsonAnswer(keySchema),
          ...errors("key_not_found", "key_in_file", ...CHANGE_CODES),
        },
      },
    })
    .post(
      "/api/keys/:id/rotate",
      async ({ visit, params }) => {
        const asker = askerOf(visit);
        const { entry, text } = await desk.rotate(params.id, await readJson(visit.request, clock), asker);
        return shown(entry, text, 200);
      },
      {
        parse: "none",
        detail: {
          ...COMMON,
          summary: "Give a key a new secret",
          description:
            "Both secrets are accepted during the overlap; afterwards the former one gets 401 `key_rotated`. Id, limits and usage stay the same. Repeated requests are answered as for a new key.",
          parameters: [ID, IDEMPOTENCY_KEY],
          requestBody: { ...bodyOf(schemaOf(rotateSchema, "input"), { overlap: "48h" }), required: false },
          responses: {
            200: jsonAnswer(shownKeySchema),
            ...errors("invalid_json", "key_not_found", "key_in_file", "key_already_shown", ...CHANGE_CODES),
          },
        },
      },
    );
}

const COMMON = { tags: ["Keys"], security: STATE_SECURITY };
const SPEC_EXAMPLE = {
  name: "ci",
  models: ["qwen*"],
  class: "background",
  limits: { parallel: 4, tokens_per_day: "2M", timezone: "Europe/Berlin" },
};
const ID = {
  name: "id",
  in: "path",
  required: true,
  schema: { type: "string" },
  description: "The id of the key, as in the list.",
} as const;
const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  schema: { type: "string" },
  description: "A name for this request, of 1 to 255 characters. If the request is repeated, it has no further effect.",
} as const;

/** The codes of all changes. */
const CHANGE_CODES = ["origin_not_allowed", "viewer_not_allowed", "keys_unavailable", "key_conflict"] as const;

function errors(...codes: readonly ErrorCode[]): Record<string, AnswerDoc> {
  return errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures", "keys_not_kept", ...codes);
}

function bodyOf(schema: object, example: unknown) {
  return { required: true, content: { "application/json": { schema, example } } };
}
