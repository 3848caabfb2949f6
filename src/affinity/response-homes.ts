import { parseJson } from "../json/parse.ts";
import { leadingMembersOf } from "../json/scan.ts";
import { setNewest } from "../system/newest.ts";

/** How many responses are remembered. A conversation needs its last one only. */
const MAX_RESPONSES = 20_000;
/** Longer than any id in use. */
const MAX_ID_CHARS = 256;

/**
 * The workers that have a response, by its id. A backend keeps responses for itself, so a request that continues one is
 * served where it was made or not at all. When the memory is full, the response that was made or continued first is
 * forgotten.
 */
export class ResponseHomes {
  /** By hashes of ids, with the tenant's seed: no tenant finds, or can name, a response of another. */
  readonly #workers = new Map<string, string>();

  get size(): number {
    return this.#workers.size;
  }

  /** Remembers a response, and returns its key; undefined for an id that is too long. */
  learn(id: string, seed: bigint, workerId: string): string | undefined {
    if (id.length > MAX_ID_CHARS) return undefined;
    const key = keyOf(id, seed);
    this.learnKey(key, workerId);
    return key;
  }

  /** Remembers a response by its key. */
  learnKey(key: string, workerId: string): void {
    setNewest(this.#workers, key, workerId, MAX_RESPONSES);
  }

  /** Returns the id of the worker that has the response; undefined for one that is not known. */
  find(id: string, seed: bigint): string | undefined {
    return id.length > MAX_ID_CHARS ? undefined : this.#workers.get(keyOf(id, seed));
  }
}

function keyOf(id: string, seed: bigint): string {
  return Bun.hash.xxHash64(id, seed).toString(36);
}

const encoder = new TextEncoder();

/**
 * Reads the id of a response from the beginning of an answer: the response itself, or an event stream whose first events
 * contain it. Undefined if the beginning states none.
 */
export function responseIdIn(beginning: string): string | undefined {
  const at = /^\s*\{/.test(beginning) ? 0 : startOfResponse(beginning);
  if (at === undefined) return undefined;
  const bytes = encoder.encode(beginning.slice(at));
  const range = leadingMembersOf(bytes)?.get("id");
  const id = range && parseJson(new TextDecoder().decode(bytes.subarray(range.start, range.end)));
  return typeof id === "string" && id !== "" && id.length <= MAX_ID_CHARS ? id : undefined;
}

/** The position of the object that is the member `response` of an event. */
function startOfResponse(text: string): number | undefined {
  const found = /"response"\s*:\s*\{/.exec(text);
  return found ? found.index + found[0].length - 1 : undefined;
}
