import { Fault } from "../errors.ts";
import { readBody } from "../http/body.ts";
import { countIn, queryOf, wordIn } from "../http/query.ts";
import { parseJson } from "../json/parse.ts";
import type { KeyKind } from "../keys/key-entry.ts";
import type { Clock } from "../system/deps.ts";
import type { KeyStatus } from "./key-json.ts";

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

/** Which keys a list has. */
export interface ListQuery {
  readonly limit: number;
  /** The id of the last key of the previous page. */
  readonly after: string | undefined;
  readonly name: string | undefined;
  readonly kind: KeyKind | undefined;
  readonly status: KeyStatus | undefined;
}

export const USUAL_LIMIT = 100;
export const MAX_LIMIT = 1000;
const KINDS = ["client", "worker", "admin", "join"] as const satisfies readonly KeyKind[];
const STATUSES = ["active", "expired", "revoked"] as const satisfies readonly KeyStatus[];

/** Reads the query of a list. Throws `invalid_request`. */
export function readListQuery(request: Request): ListQuery {
  const query = queryOf(request);
  return {
    limit: countIn(query, "limit", MAX_LIMIT) ?? USUAL_LIMIT,
    after: query("after"),
    name: query("name"),
    kind: wordIn(query, "kind", KINDS),
    status: wordIn(query, "status", STATUSES),
  };
}
