/** The well-known path of OAuth's protected-resource metadata (RFC 9728 §3); it precedes the resource's own path. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** Returns the metadata URL of the resource at this URL; undefined for text that is not a URL. */
export function metadataUrl(resource: string): string | undefined {
  const url = URL.parse(resource);
  if (!url) return undefined;
  const path = url.pathname === "/" ? "" : url.pathname;
  return `${url.origin}${METADATA_PATH}${path}${url.search}`;
}
