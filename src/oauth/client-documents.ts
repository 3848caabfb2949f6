import type { ClientInfo } from "@cloudflare/workers-oauth-provider";
import * as v from "valibot";
import { parseJson } from "../json/parse.ts";
import type { Clock, Log } from "../system/deps.ts";
import { isLoopback } from "../system/loopback.ts";
import { setNewest } from "../system/newest.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import { cleanText } from "../wire/clean-text.ts";
import { type FetchGuard, fetchGuarded } from "./guarded-fetch.ts";

/** The most documents that are remembered, and how long: what their servers say, within these bounds. */
const MAX_DOCUMENTS = 1000;
const SHORTEST_MS = 5 * 60_000;
const LONGEST_MS = 24 * 60 * 60_000;
/** How long one that could not be had is not fetched again. */
const FAILED_MS = 15_000;
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

interface Known {
  readonly until: number;
  readonly record: Promise<string | undefined>;
}

/**
 * Fetches the documents with which programs describe themselves, in place of a registration (client ID metadata documents). The URL of
 * the document is the program's id, so the domain in it is one that the program's maker controls.
 */
export class ClientDocuments {
  readonly #options: ClientDocumentsOptions;
  readonly #lines: RepeatedLines;
  readonly #known = new Map<string, Known>();
  #fetches = 0;

  constructor(options: ClientDocumentsOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#lines = new RepeatedLines({ clock, write: (fields) => log.info("oauth.document_refused", fields) });
  }

  /** Returns the library's record of the client with this id; undefined if its document cannot be had or is not valid. */
  find(id: string): Promise<string | undefined> {
    const now = this.#options.clock.now();
    const known = this.#known.get(id);
    if (known && now < known.until) return known.record;
    const url = readClientId(id);
    if (!url || this.#fetches >= MAX_FETCHES) return Promise.resolve(undefined);
    const record = this.#load(id, url);
    // Until the document is there, everybody waits for the same one.
    setNewest(this.#known, id, { until: now + SHORTEST_MS, record }, MAX_DOCUMENTS);
    return record;
  }

  async #load(id: string, url: URL): Promise<string | undefined> {
    const { clock, guard } = this.#options;
    this.#fetches += 1;
    let record: string | undefined;
    let lifeMs = FAILED_MS;
    try {
      const { text, cacheControl } = await fetchGuarded(url, guard);
      record = JSON.stringify(toClient(id, text));
      lifeMs = lifeOf(cacheControl);
    } catch (error) {
      const reason = cleanText(error instanceof Error ? error.message : String(error)).slice(0, 200);
      this.#lines.note(url.host, { client: url.host, reason }, { reason: "others" });
    } finally {
      this.#fetches -= 1;
    }
    setNewest(this.#known, id, { until: clock.now() + lifeMs, record: Promise.resolve(record) }, MAX_DOCUMENTS);
    return record;
  }
}

/** Reads a client's id as the URL of its document; undefined for a text that cannot be one. */
export function readClientId(id: string): URL | undefined {
  const url = id.length > MAX_URL_CHARS ? null : URL.parse(id);
  const isPlain = url?.protocol === "https:" && url.username === "" && url.password === "" && url.href === id;
  return isPlain && url.pathname !== "/" && !id.includes("#") ? url : undefined;
}

/** Reads a document. Throws an error whose message says what is wrong with it. */
function toClient(id: string, text: string): ClientInfo {
  const parsed = v.safeParse(documentSchema, parseJson(text));
  if (!parsed.success) throw new Error("it does not describe a client");
  const { output } = parsed;
  if (output.client_id !== id) throw new Error("its client_id is not its URL");
  if (!output.redirect_uris.every(isUri)) throw new Error("one of its redirect_uris is not a URL");
  const methods = output.token_endpoint_auth_methods_supported ?? [output.token_endpoint_auth_method ?? "none"];
  // Programs that sign with a key of their own are asked for nothing more here. Most can do without.
  if (!methods.includes("none")) throw new Error("it takes no token without authentication of the client");
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
