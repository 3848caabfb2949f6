import { Fault } from "../errors.ts";
import { readBody } from "../http/body.ts";
import { countIn, queryOf, wordIn } from "../http/query.ts";
import { parseJson } from "../json/parse.ts";
import type { KeyKind } from "../keys/key-entry.ts";
import type { Clock } from "../system/deps.ts";
import type { KeyStatus } from "./key-view.ts";

/** A key with a hundred models of the longest names fits. */
const MAX_BODY_BYTES = 128 * 1024;
const BODY_TIMEOUT_MS = 10_000;

/** Reads a JSON body; undefined for an empty one. Rejects with `invalid_json`, and as `readBody` does. */
export async function readJson(request: Request, clock: Clock): Promise<unknown> {
  const bytes = await readBody(request, {
    maxBytes: MAX_BODY_BYTES,
    timeoutMs: BODY_TIMEOUT_MS,
    clock,
    liftIdleTimeout: () => {},
  });
  if (bytes.length === 0) return undefined;
  const json = parseJson(new TextDecoder().decode(bytes));
  if (json === undefined) throw new Fault("invalid_json");
  return json;
}

/** Returns the header `Idempotency-Key`. Throws `invalid_request` for one that is empty or too long. */
export function idempotencyKeyOf({ headers }: Request): string | undefined {
  const given = headers.get("idempotency-key");
  if (given === null) return undefined;
  if (/^[\x20-\x7e]{1,255}$/.test(given.trim())) return given.trim();
  throw new Fault("invalid_request", {
    message: "The header Idempotency-Key must have 1 to 255 visible ASCII characters.",
  });
}

/** What a list of keys may be sorted by, and each of it after a minus sign for the reverse order. */
export const SORTS = ["created", "name", "tenant", "kind", "status", "last_used", "expires"] as const;
export type Sort = (typeof SORTS)[number];
const ORDERS = SORTS.flatMap((sort) => [sort, `-${sort}`] as const);

/** Which page of a list is asked for. */
export interface PageQuery {
  readonly limit: number;
  /** The id or the name of the last entry of the previous page. */
  readonly after: string | undefined;
  /** How many entries to leave out at the beginning. */
  readonly offset: number;
}

/** Which keys a list has, and in which order. */
export interface ListQuery extends PageQuery {
  readonly name: string | undefined;
  readonly tenant: string | undefined;
  readonly kind: KeyKind | undefined;
  readonly status: KeyStatus | undefined;
  /** Words in lower case, all of which must occur in what is known about a key. */
  readonly words: readonly string[];
  readonly sort: Sort;
  readonly isDescending: boolean;
}

export const USUAL_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** More than there can be keys. */
const MAX_OFFSET = 1_000_000;
/** The most words of a search. */
const MAX_WORDS = 10;
const KINDS = ["client", "worker", "admin", "join"] as const satisfies readonly KeyKind[];
const STATUSES = ["active", "used_up", "expired", "revoked"] as const satisfies readonly KeyStatus[];

/** Reads which page of a list is asked for. Throws `invalid_request`. */
export function readPageQuery(request: Request): PageQuery {
  const query = queryOf(request);
  return {
    limit: countIn(query, "limit", MAX_LIMIT) ?? USUAL_LIMIT,
    after: query("after"),
    offset: query("offset") === "0" ? 0 : (countIn(query, "offset", MAX_OFFSET) ?? 0),
  };
}

/** Reads the query of a list of keys. Throws `invalid_request`. */
export function readListQuery(request: Request): ListQuery {
  const query = queryOf(request);
  const order = wordIn(query, "sort", ORDERS) ?? "created";
  return {
    ...readPageQuery(request),
    name: query("name"),
    tenant: query("tenant"),
    kind: wordIn(query, "kind", KINDS),
    status: wordIn(query, "status", STATUSES),
    words: (query("search") ?? "").toLowerCase().split(/\s+/, MAX_WORDS).filter(Boolean),
    sort: SORTS.find((sort) => order.endsWith(sort)) ?? "created",
    isDescending: order.startsWith("-"),
  };
}
