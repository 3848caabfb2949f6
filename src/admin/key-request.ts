import { Fault } from "../errors.ts";
import { readBody } from "../http/body.ts";
import { parseJson } from "../json/parse.ts";
import type { Clock } from "../system/deps.ts";

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
  /** The id of the last key of the page before. */
  readonly after: string | undefined;
  readonly name: string | undefined;
  readonly kind: string | undefined;
  readonly status: string | undefined;
}

export const USUAL_LIMIT = 100;
export const MAX_LIMIT = 1000;
const KINDS = ["client", "worker", "admin", "join"];
const STATUSES = ["active", "expired", "revoked"];

/** Reads the query of a list. Throws `invalid_request`. */
export function readListQuery({ url }: Request): ListQuery {
  const parameters = URL.parse(url)?.searchParams ?? new URLSearchParams();
  const given = (name: string): string | undefined => parameters.get(name)?.trim() || undefined;
  const oneOf = (name: string, words: readonly string[]): string | undefined => {
    const word = given(name);
    if (word === undefined || words.includes(word)) return word;
    throw new Fault("invalid_request", { message: `'${name}' must be one of ${words.join(", ")}.`, param: name });
  };
  const written = given("limit") ?? String(USUAL_LIMIT);
  const limit = /^\d{1,6}$/.test(written) ? Number(written) : 0;
  if (limit < 1 || limit > MAX_LIMIT) {
    const message = `'limit' must be a whole number from 1 to ${MAX_LIMIT}.`;
    throw new Fault("invalid_request", { message, param: "limit" });
  }
  return {
    limit,
    after: given("after"),
    name: given("name"),
    kind: oneOf("kind", KINDS),
    status: oneOf("status", STATUSES),
  };
}
