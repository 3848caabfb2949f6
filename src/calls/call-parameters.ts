import { Fault } from "../errors.ts";
import { countIn, type Query, timeIn, wordIn } from "../http/query.ts";
import { type TrailPlace, toPlace } from "../plugin/joined-trails.ts";
import { type AllCallsQuery, MAX_PAGE, MAX_SEARCH_CHARS, MAX_WORDS } from "./all-calls.ts";
import { OUTCOMES } from "./past-call.ts";

export const USUAL_LIMIT = 100;

/** What a URL asks for. */
export interface CallRequest extends Omit<AllCallsQuery, "limit"> {
  /** Whether to send JSON lines; undefined if the URL does not say. */
  readonly format: "json" | "jsonl" | undefined;
  /** Undefined if the URL does not say. */
  readonly limit: number | undefined;
}

/** The most calls of one export. */
const MAX_LINES = 100_000_000;

/** Reads the query of a URL. `serverId` is the id of this server in places. Throws `invalid_request`. */
export function parseCallRequest(query: Query, serverId: string): CallRequest {
  const since = timeIn(query, "since");
  const until = timeIn(query, "until");
  if (since !== undefined && until !== undefined && until <= since)
    throw invalid("since", "'since' must be before 'until'.");
  return {
    relay: query("relay"),
    caller: query("caller"),
    tenant: query("tenant"),
    name: query("name"),
    method: query("method"),
    outcome: wordIn(query, "outcome", OUTCOMES),
    since,
    until,
    words: wordsIn(query("search")),
    after: placeIn(query("after"), serverId),
    format: wordIn(query, "format", ["json", "jsonl"]),
    limit: countIn(query, "limit", MAX_LINES),
  };
}

/** Returns the most calls of a page. Throws `invalid_request`. */
export function pageLimit({ limit = USUAL_LIMIT }: CallRequest): number {
  if (limit <= MAX_PAGE) return limit;
  throw invalid("limit", `'limit' must be a whole number from 1 to ${MAX_PAGE}. An export has no such limit.`);
}

function wordsIn(search: string | undefined): readonly string[] | undefined {
  const words = search?.split(/\s+/);
  if (search === undefined || (search.length <= MAX_SEARCH_CHARS && (words?.length ?? 0) <= MAX_WORDS)) return words;
  throw invalid("search", `'search' must have at most ${MAX_WORDS} words and ${MAX_SEARCH_CHARS} characters.`);
}

function placeIn(written: string | undefined, serverId: string): TrailPlace | undefined {
  if (written === undefined) return undefined;
  const place = toPlace(written, serverId);
  if (place) return place;
  throw invalid("after", "'after' must be the `next` of an earlier page.");
}

function invalid(param: string, message: string): Fault {
  return new Fault("invalid_request", { message, param });
}
