import { accepts } from "./assets.ts";

/** Allows only this origin's files, and no script in the page itself, because pages show names that workers choose. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** The size below which a page is not worth compressing. */
const MIN_PACKED_CHARS = 1024;

/** Answers with a page. Each page is whole, and loads nothing from other origins. */
export function page(request: Request, html: string, status = 200): Response {
  const isPacked = html.length >= MIN_PACKED_CHARS && accepts(request, "gzip");
  return new Response(isPacked ? Bun.gzipSync(html) : html, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      vary: "accept-encoding",
      "content-security-policy": PAGE_POLICY,
      "permissions-policy": "microphone=(self), camera=(), geolocation=()",
      "x-content-type-options": "nosniff",
      // With `no-referrer` browsers would send `Origin: null` with our own forms.
      "referrer-policy": "same-origin",
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    },
  });
}

/** Answers with JSON that changes with every request, packed for a client that accepts it. */
export function packedJson(request: Request, value: unknown): Response {
  const json = JSON.stringify(value);
  const isPacked = json.length >= MIN_PACKED_CHARS && accepts(request, "gzip");
  return new Response(isPacked ? Bun.gzipSync(json) : json, {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      vary: "accept-encoding",
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    },
  });
}
