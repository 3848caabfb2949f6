import { isRecord, parseJson } from "../../json/parse.ts";
import { METADATA_PATH, metadataUrl } from "../../wire/mcp-metadata.ts";
import { readAtMost } from "../read-at-most.ts";

/** Far more than such a document needs; it is gathered, so there must be a limit. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

const NONE = { error: { code: "no_metadata", message: "This MCP server has no OAuth metadata." } };

/**
 * The metadata of the MCP server at `upstream` (RFC 9728), as those of `resource`, its public URL. Looked for where its
 * path has them, then at the root of its origin. 404 without any. Rejects when the server cannot be reached.
 */
export async function fetchMetadata(upstream: string, resource: string, signal: AbortSignal): Promise<Response> {
  const places = new Set([metadataUrl(upstream), `${new URL(upstream).origin}${METADATA_PATH}`]);
  for (const place of places) {
    const found = place === undefined ? undefined : await fetchDocument(place, signal);
    if (found === undefined) continue;
    // A signed copy of it says which resource it is of, and is believed before the rest.
    const { signed_metadata: _, ...document } = found;
    return Response.json({ ...document, resource });
  }
  return Response.json(NONE, { status: 404 });
}

async function fetchDocument(url: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
  // Nobody's bearer goes with it: these documents are for whoever has none yet.
  const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
  if (!response.ok) {
    await response.body?.cancel();
    return undefined;
  }
  const { bytes, isWhole } = await readAtMost(response.body, MAX_DOCUMENT_BYTES);
  const document = isWhole ? parseJson(bytes.toString()) : undefined;
  return isRecord(document) ? document : undefined;
}
