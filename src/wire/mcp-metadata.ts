/** Where OAuth's protected resources describe themselves (RFC 9728 §3): stands before the resource's own path. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** Where the resource at this URL is described; undefined for what is no URL. */
export function metadataUrl(resource: string): string | undefined {
  const url = URL.parse(resource);
  if (!url) return undefined;
  const path = url.pathname === "/" ? "" : url.pathname;
  return `${url.origin}${METADATA_PATH}${path}${url.search}`;
}
