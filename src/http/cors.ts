import { isLoopback } from "../system/loopback.ts";

/** Methods that a browser's script may use at a path that no route takes, so that it can read the 404. */
const ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
/** Headers that a browser's script may read. */
const EXPOSED =
  "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, mcp-session-id, mcp-protocol-version, last-event-id, " +
  "www-authenticate, content-disposition, x-transfer-length, x-moorage-model, " +
  "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, " +
  "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";
/** How long a browser may remember a preflight: a day, which is more than any does. The answer never changes at run time. */
const MAX_AGE_S = "86400";

/** The settings that the cross-origin rules are made from. */
export interface CorsSettings {
  /** Origins as browsers send them; `*` stands for any. */
  readonly allowedOrigins: readonly string[];
  /** This server's own origin. */
  readonly publicUrl?: string | undefined;
  /** The listener's address. */
  readonly host?: string;
}

/**
 * Cross-origin rules: the origins whose pages may use this server. These are the configured ones and, if the server listens
 * on loopback only, this machine's own. An origin is never compared with the request's Host, which the page itself chooses.
 */
export interface Cors {
  allows(origin: string): boolean;
  /** Answers a preflight request to a path that takes these methods; none if no route takes it. */
  preflight(request: Request, methods: readonly string[]): Response;
  /** Returns the headers that an answer to this origin needs; none for an origin that is not allowed. */
  headersFor(origin: string): readonly (readonly [string, string])[];
}

export function createCors({ allowedOrigins, publicUrl, host = "" }: CorsSettings): Cors {
  const any = allowedOrigins.includes("*");
  const allowed = new Set(publicUrl === undefined ? allowedOrigins : [...allowedOrigins, publicUrl]);
  const isLocal = isLoopback(host);
  const allows = (origin: string): boolean =>
    any || allowed.has(origin) || (isLocal && isLoopback(URL.parse(origin)?.hostname ?? ""));
  const headersFor = (origin: string): readonly (readonly [string, string])[] => {
    if (!allows(origin)) return [];
    // Credentials are never allowed. Keys travel in headers, so under a wildcard a page can use only keys that it was given.
    return [
      ["access-control-allow-origin", any ? "*" : origin],
      ["access-control-expose-headers", EXPOSED],
      ["vary", "origin"],
    ];
  };
  return {
    allows,
    headersFor,
    preflight(request, methods) {
      const allow = (methods.length === 0 ? ANY_METHOD : methods).join(", ");
      const headers = new Headers({ allow });
      const origin = request.headers.get("origin");
      for (const [name, value] of origin === null ? [] : headersFor(origin)) headers.append(name, value);
      if (headers.has("access-control-allow-origin")) {
        headers.set("access-control-allow-methods", allow);
        headers.set("access-control-max-age", MAX_AGE_S);
        const asked = request.headers.get("access-control-request-headers");
        if (asked !== null && asked.length <= 4096) headers.set("access-control-allow-headers", asked);
        headers.append("vary", "access-control-request-headers");
      }
      return new Response(null, { status: 204, headers });
    },
  };
}
