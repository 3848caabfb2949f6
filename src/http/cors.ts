/** Headers a browser's script may send: those of the OpenAI and MCP clients, and whatever else the preflight names. */
const ALLOWED_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
/** Headers a browser's script may read. */
const EXPOSED =
  "x-request-id, retry-after, retry-after-ms, x-should-retry, mcp-session-id, mcp-protocol-version, last-event-id, " +
  "www-authenticate, content-disposition, x-transfer-length";
/** A day: what browsers accept at most is less, and the answer never changes while the server runs. */
const MAX_AGE_S = "86400";

/** What the rules are made of, as in the configuration. */
export interface CorsSettings {
  /** Origins as browsers send them; `*` stands for any. */
  readonly allowedOrigins: readonly string[];
  /** This server's own origin. */
  readonly publicUrl?: string | undefined;
  /** The listener's address. */
  readonly host?: string;
}

/**
 * Cross-origin rules: which origins' pages may use this server. Those that are configured, and on a server that listens on
 * this machine only, this machine's own. Never compared with a request's own Host, which such a page chooses.
 */
export interface Cors {
  allows(origin: string): boolean;
  /** The answer to a preflight request. */
  preflight(request: Request): Response;
  /** The headers that an answer to this origin needs; empty for an origin that is not allowed. */
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
    // Never with credentials: keys travel in headers, so a wildcard gives a page nothing that it does not hold itself.
    return [
      ["access-control-allow-origin", any ? "*" : origin],
      ["access-control-expose-headers", EXPOSED],
      ["vary", "origin"],
    ];
  };
  return {
    allows,
    headersFor,
    preflight(request) {
      const headers = new Headers({ allow: ALLOWED_METHODS });
      const origin = request.headers.get("origin");
      for (const [name, value] of origin === null ? [] : headersFor(origin)) headers.append(name, value);
      if (headers.has("access-control-allow-origin")) {
        headers.set("access-control-allow-methods", ALLOWED_METHODS);
        headers.set("access-control-max-age", MAX_AGE_S);
        const asked = request.headers.get("access-control-request-headers");
        if (asked !== null && asked.length <= 4096) headers.set("access-control-allow-headers", asked);
        headers.append("vary", "access-control-request-headers");
      }
      return new Response(null, { status: 204, headers });
    },
  };
}

/** Whether a listener's address or a URL's host name stands for this machine alone. */
export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;
