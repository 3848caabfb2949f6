/** Headers a browser's script may send: those of the OpenAI and MCP clients, and whatever else the preflight names. */
const ALLOWED_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
/** Headers a browser's script may read. */
const EXPOSED =
  "x-request-id, retry-after, retry-after-ms, x-should-retry, mcp-session-id, mcp-protocol-version, www-authenticate, " +
  "content-disposition, x-transfer-length";
/** A day: what browsers accept at most is less, and the answer never changes while the server runs. */
const MAX_AGE_S = "86400";

/** Cross-origin rules: which origins' pages may use this server. None, unless configured. */
export interface Cors {
  /** The answer to a preflight request. */
  preflight(request: Request): Response;
  /** The headers that an answer to this origin needs; empty for an origin that is not allowed. */
  headersFor(origin: string): readonly (readonly [string, string])[];
}

export function createCors(allowedOrigins: readonly string[]): Cors {
  const any = allowedOrigins.includes("*");
  const allowed = new Set(allowedOrigins);
  const headersFor = (origin: string): readonly (readonly [string, string])[] => {
    if (!any && !allowed.has(origin)) return [];
    // Never with credentials: keys travel in headers, so a wildcard gives a page nothing that it does not hold itself.
    return [
      ["access-control-allow-origin", any ? "*" : origin],
      ["access-control-expose-headers", EXPOSED],
      ["vary", "origin"],
    ];
  };
  return {
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
