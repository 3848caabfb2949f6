import { isRecord, parseJson } from "../../json/parse.ts";
import { METADATA_PATH, metadataUrl } from "../../wire/mcp-metadata.ts";
import { readAtMost } from "../read-at-most.ts";

/** The largest metadata document: far more than one needs, but it is held in memory. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

const NONE = { error: { code: "no_metadata", message: "This MCP server has no OAuth metadata." } };

/**
 * Fetches the metadata of the MCP server at `upstream` (RFC 9728) and rewrites them for `resource`, its public URL. They are
 * looked for at the path form of the URL, then at the root of its origin; without any the answer is 404. Rejects when the
 * server cannot be reached.
 */
export async function fetchMetadata(upstream: string, resource: string, signal: AbortSignal): Promise<Response> {
  const places = new Set([metadataUrl(upstream), `${new URL(upstream).origin}${METADATA_PATH}`]);
  for (const place of places) {
    const found = place === undefined ? undefined : await fetchDocument(place, signal);
    if (found === undefined) continue;
    // A signed copy names the original resource and takes precedence over the other members.
    const { signed_metadata: _, ...document } = found;
    return Response.json({ ...document, resource });
  }
  return Response.json(NONE, { status: 404 });
}

async function fetchDocument(url: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
  // Sent without a bearer token: the document is for clients that have none yet.
  const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
  if (!response.ok) {
    await response.body?.cancel();
    return undefined;
  }
  const { bytes, isWhole } = await readAtMost(response.body, MAX_DOCUMENT_BYTES);
  const document = isWhole ? parseJson(bytes.toString()) : undefined;
  return isRecord(document) ? document : undefined;
}
