import type { ClientInfo } from "@cloudflare/workers-oauth-provider";
import * as v from "valibot";
import { parseJson } from "../json/parse.ts";
import type { Clock, Log } from "../system/deps.ts";
import { isLoopback } from "../system/loopback.ts";
import { setNewest } from "../system/newest.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import { cleanText } from "../wire/clean-text.ts";
import { type FetchGuard, fetchGuarded, NoDocument } from "./guarded-fetch.ts";
import { KvFault } from "./kv.ts";

/** The most documents that are remembered, and how long: what their servers say, within these bounds. */
const MAX_DOCUMENTS = 1000;
const SHORTEST_MS = 5 * 60_000;
const LONGEST_MS = 24 * 60 * 60_000;
/** How long one that could not be had is not fetched again. */
const FAILED_MS = 15_000;
/** How long a document counts after it was fetched, while it cannot be had again. */
const STALE_MS = 7 * 24 * 60 * 60_000;
/** The most documents that are fetched at once. */
const MAX_FETCHES = 8;
const MAX_URL_CHARS = 512;
const MAX_URIS = 50;

const uri = v.pipe(v.string(), v.maxLength(2048));
const documentSchema = v.object({
  client_id: v.string(),
  client_name: v.pipe(v.string(), v.nonEmpty(), v.maxLength(1000)),
  redirect_uris: v.pipe(v.array(uri), v.minLength(1), v.maxLength(MAX_URIS)),
  token_endpoint_auth_method: v.optional(v.string()),
  token_endpoint_auth_methods_supported: v.optional(v.array(v.string())),
  client_secret: v.optional(v.undefined()),
});

export interface ClientDocumentsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly guard: FetchGuard;
}

/** What became of an attempt to get a document. `cause` is for the log. */
type Outcome =
  | { readonly kind: "found"; readonly record: string; readonly lifeMs: number }
  | { readonly kind: "refused"; readonly cause: unknown }
  /** Its server is down, slow or busy, or this server has too much to fetch. */
  | { readonly kind: "away"; readonly cause: unknown };

interface Known {
  readonly until: number;
  readonly outcome: Promise<Outcome>;
}

/** The last valid document of a client. */
interface Kept {
  readonly record: string;
  readonly fetchedAt: number;
}

/**
 * Fetches the documents with which programs describe themselves, in place of a registration (client ID metadata documents). The URL of
 * the document is the program's id, so the domain in it is one that the program's maker controls.
 */
export class ClientDocuments {
  readonly #options: ClientDocumentsOptions;
  readonly #lines: RepeatedLines;
  readonly #known = new Map<string, Known>();
  /** Apart from the others, so that no number of documents that cannot be had displaces them. */
  readonly #kept = new Map<string, Kept>();
  #fetches = 0;

  constructor(options: ClientDocumentsOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#lines = new RepeatedLines({ clock, write: (fields) => log.info("oauth.document_refused", fields) });
  }

  /**
   * Returns the library's record of the client with this id; undefined if its document is missing or not valid. A document that cannot be
   * had now counts as it was, for up to seven days after it was fetched. Rejects with a `KvFault` if there is none from that time.
   */
  async find(id: string): Promise<string | undefined> {
    const outcome = await this.#outcomeOf(id);
    if (outcome.kind !== "away") return outcome.kind === "found" ? outcome.record : undefined;
    const kept = this.#kept.get(id);
    if (kept && this.#options.clock.now() < kept.fetchedAt + STALE_MS) return kept.record;
    throw new KvFault("document");
  }

  #outcomeOf(id: string): Outcome | Promise<Outcome> {
    const now = this.#options.clock.now();
    const known = this.#known.get(id);
    if (known && now < known.until) return known.outcome;
    const url = readClientId(id);
    if (!url) return { kind: "refused", cause: "it is no URL of a document" };
    if (this.#fetches >= MAX_FETCHES) return { kind: "away", cause: "too many documents are being fetched" };
    const outcome = this.#load(id, url);
    // Until the document is there, everybody waits for the same one.
    setNewest(this.#known, id, { until: now + SHORTEST_MS, outcome }, MAX_DOCUMENTS);
    return outcome;
  }

  async #load(id: string, url: URL): Promise<Outcome> {
    const { clock, guard } = this.#options;
    this.#fetches += 1;
    const outcome = await read(id, url, guard);
    this.#fetches -= 1;
    const now = clock.now();
    if (outcome.kind === "found") {
      setNewest(this.#kept, id, { record: outcome.record, fetchedAt: now }, MAX_DOCUMENTS);
    } else {
      if (outcome.kind === "refused") this.#kept.delete(id);
      const { cause } = outcome;
      const reason = cleanText(cause instanceof Error ? cause.message : String(cause)).slice(0, 200);
      this.#lines.note(url.host, { client: url.host, reason }, { reason: "others" });
    }
    const until = now + (outcome.kind === "found" ? outcome.lifeMs : FAILED_MS);
    setNewest(this.#known, id, { until, outcome: Promise.resolve(outcome) }, MAX_DOCUMENTS);
    return outcome;
  }
}

/** Fetches and reads a document. Never rejects. */
async function read(id: string, url: URL, guard: FetchGuard): Promise<Outcome> {
  try {
    const { text, cacheControl } = await fetchGuarded(url, guard);
    return { kind: "found", record: JSON.stringify(toClient(id, text)), lifeMs: lifeOf(cacheControl) };
  } catch (cause) {
    return { kind: cause instanceof NoDocument ? "refused" : "away", cause };
  }
}

/** Reads a client's id as the URL of its document; undefined for a text that cannot be one. */
export function readClientId(id: string): URL | undefined {
  const url = id.length > MAX_URL_CHARS ? null : URL.parse(id);
  const isPlain = url?.protocol === "https:" && url.username === "" && url.password === "" && url.href === id;
  return isPlain && url.pathname !== "/" && !id.includes("#") ? url : undefined;
}

/** Reads a document. Throws a `NoDocument` whose message says what is wrong with it. */
function toClient(id: string, text: string): ClientInfo {
  const parsed = v.safeParse(documentSchema, parseJson(text));
  if (!parsed.success) throw new NoDocument("it does not describe a client");
  const { output } = parsed;
  if (output.client_id !== id) throw new NoDocument("its client_id is not its URL");
  if (!output.redirect_uris.every(isUri)) throw new NoDocument("one of its redirect_uris is not a URL");
  const methods = output.token_endpoint_auth_methods_supported ?? [output.token_endpoint_auth_method ?? "none"];
  // Programs that sign with a key of their own are asked for nothing more here. Most can do without.
  if (!methods.includes("none")) throw new NoDocument("it takes no token without authentication of the client");
  return {
    clientId: id,
    clientName: output.client_name,
    redirectUris: output.redirect_uris,
    grantTypes: ["authorization_code", "refresh_token"],
    responseTypes: ["code"],
    tokenEndpointAuthMethod: "none",
  };
}

/** Whether a redirect URI may be listed. The library checks again the one that a request names. */
function isUri(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || text.includes("#")) return false;
  if (url.username !== "" || url.password !== "") return false;
  if (url.protocol === "http:") return isLoopback(url.hostname);
  return !/^(?:javascript|data|vbscript|file|mailto|blob):$/.test(url.protocol);
}

function lifeOf(cacheControl = ""): number {
  const seconds = /(?:^|[,\s])max-age=(\d{1,9})/i.exec(cacheControl)?.[1];
  const isKept = seconds !== undefined && !/no-store|no-cache/i.test(cacheControl);
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, isKept ? Number(seconds) * 1000 : 0));
}
