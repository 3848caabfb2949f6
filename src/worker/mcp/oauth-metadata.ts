import { isRecord, parseJson } from "../../json/parse.ts";
import { METADATA_PATH, metadataUrl } from "../../wire/mcp-metadata.ts";
import { callBackend } from "../backend.ts";
import { readAtMost } from "../read-at-most.ts";
import type { Endpoint } from "./endpoint.ts";
import { metadataIn } from "./oauth-challenge.ts";

/** The largest metadata document: far more than one needs, but it is held in memory. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

const NONE = { error: { code: "no_metadata", message: "This MCP server has no OAuth metadata." } };

type Document = Readonly<Record<string, unknown>>;

/**
 * The OAuth metadata (RFC 9728) of an MCP server that callers sign in to. Its challenges name the document's place, which
 * need not be one of the well-known paths for its URL. The document is only ever fetched from the server itself.
 */
export class OauthMetadata {
  readonly #endpoint: Endpoint;
  /** The place that the last challenge named, on the MCP server's own origin. */
  #challenged: string | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Remembers the place that a response names, if it is a challenge. */
  noteChallenge({ status, headers }: Pick<Response, "status" | "headers">): void {
    const named = status === 401 ? metadataIn(headers.get("www-authenticate") ?? "") : undefined;
    const place = named === undefined ? undefined : toOwnPlace(named, this.#endpoint.url);
    if (place !== undefined) this.#challenged = place;
  }

  /**
   * Fetches the document and rewrites it for `resource`, the server's public URL. It is looked for where the server's
   * challenge says, at the path form of its URL, and at the root of its origin; without any the answer is 404. Rejects
   * when the server cannot be reached.
   */
  async fetchFor(resource: string, signal: AbortSignal): Promise<Response> {
    const found = await this.#find(URL.parse(resource)?.host, signal);
    if (found === undefined) return Response.json(NONE, { status: 404 });
    // A signed copy names the original resource and takes precedence over the other members.
    const { signed_metadata: _, ...document } = found;
    return Response.json({ ...document, resource });
  }

  async #find(publicHost: string | undefined, signal: AbortSignal): Promise<Document | undefined> {
    const { url } = this.#endpoint;
    const tried = new Set<string>();
    const tryAt = async (place: string | undefined): Promise<Document | undefined> => {
      if (place === undefined || tried.has(place)) return undefined;
      tried.add(place);
      return await this.#fetch(place, signal);
    };
    const usual = (await tryAt(this.#challenged)) ?? (await tryAt(metadataUrl(url)));
    if (usual !== undefined) return usual;
    if (this.#challenged === undefined) {
      const { response } = await this.#endpoint.probe(publicHost);
      if (response) this.noteChallenge(response);
    }
    return (await tryAt(this.#challenged)) ?? (await tryAt(`${new URL(url).origin}${METADATA_PATH}`));
  }

  async #fetch(url: string, signal: AbortSignal): Promise<Document | undefined> {
    // Sent without a bearer token: the document is for clients that have none yet.
    const head = { method: "GET", path: "/", headers: [["accept", "application/json"]] as const };
    const request = { url, head, key: undefined, body: undefined, signal, isRepeatable: true };
    const { proxy, headers: extra } = this.#endpoint;
    const response = await callBackend({ ...request, proxy, extra });
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const { bytes, isWhole } = await readAtMost(response.body, MAX_DOCUMENT_BYTES);
    const document = isWhole ? parseJson(bytes.toString()) : undefined;
    return isRecord(document) ? document : undefined;
  }
}

/**
 * Returns the place on the MCP server's own origin that a challenge means. A server that knows its public URL names the
 * document there, and has it under the same path. Undefined for any other place.
 */
function toOwnPlace(named: string, upstream: string): string | undefined {
  const place = URL.parse(named, upstream);
  if (!place) return undefined;
  const own = new URL(upstream);
  const isWellKnown = place.pathname === METADATA_PATH || place.pathname.startsWith(`${METADATA_PATH}/`);
  return place.host === own.host || isWellKnown ? `${own.origin}${place.pathname}${place.search}` : undefined;
}
