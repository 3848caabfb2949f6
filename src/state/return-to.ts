/** The longest path of a page that a sign-in returns to. */
const MAX_CHARS = 512;

/** The address before a path, to read the path as browsers do. */
const HERE = "http://here.invalid";

/**
 * Returns the page of this server that a sign-in leads to, from text that anybody may have written: a path of the dashboard
 * with its query, else `/state`. No text leads to another site.
 */
export function pageAfter(text: string | null): string {
  const url = text !== null && text.length <= MAX_CHARS && text.startsWith("/state") ? URL.parse(text, HERE) : null;
  if (url?.origin !== HERE || !/^\/state(?:\/(?!oidc\/|sign-)[\w./-]*)?$/.test(url.pathname)) return "/state";
  return url.pathname + url.search;
}

/** Returns the page that a request asks for, to return to it after the sign-in. */
export function askedPage(request: Request): string {
  const { pathname, search } = URL.parse(request.url) ?? { pathname: "/state", search: "" };
  return pageAfter(pathname + search);
}
