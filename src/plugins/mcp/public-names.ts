import { createProxies } from "../../auth/addresses.ts";
import type { Config } from "../../config.ts";
import { Fault } from "../../errors.ts";
import { createCors } from "../../http/cors.ts";
import type { Visit } from "../../http/visit.ts";
import { isLoopback } from "../../system/loopback.ts";
import type { HeaderPairs } from "../../wire/heads.ts";

/** The names under which this server is known, and the pages that may call it. */
export interface PublicNames {
  /**
   * Refuses requests of pages that may not call this server, also if the page made its own name point here. Throws
   * `host_not_allowed` or `origin_not_allowed`.
   */
  assertAllowed(request: Request): void;
  /** Returns the origin by which the client knows this server: the configured one, else the request's, if that is valid. */
  originOf(visit: Visit): string | undefined;
  /** Returns the headers in which an MCP server is told who called, and by which URL. None of them is the client's own. */
  forwardedHeaders(visit: Visit): HeaderPairs;
}

type NamesConfig = Pick<Config, "publicUrl" | "allowedHosts" | "allowedOrigins" | "host" | "trustedProxies">;

/**
 * Compares names with the configured ones, and never Host and Origin with each other alone: a page that rebinds its name
 * sends it as both. A server without a configured name accepts any Host and decides by the Origin.
 */
export function createPublicNames(config: NamesConfig): PublicNames {
  const { publicUrl, allowedHosts } = config;
  const cors = createCors(config);
  const proxies = createProxies(config.trustedProxies);
  const isAnyHost = allowedHosts.includes("*") || (publicUrl === undefined && allowedHosts.length === 0);
  const names = new Set(allowedHosts);
  if (publicUrl !== undefined) names.add(new URL(publicUrl).hostname.replace(/^\[|\]$/g, ""));
  const isLocal = isLoopback(config.host);
  const isConfigured = (host: string): boolean => {
    const name = nameOf(host);
    return name !== undefined && (names.has(name) || (isLocal && isLoopback(name)));
  };
  const originOf = (visit: Visit): string | undefined => {
    if (publicUrl !== undefined) return publicUrl;
    const { headers, url } = visit.request;
    const isTrusted =
      (headers.has("x-forwarded-host") || headers.has("x-forwarded-proto")) && proxies.isTrusted(visit.address());
    const forwarded = (name: string): string | undefined =>
      isTrusted ? headers.get(name)?.split(",")[0]?.trim() || undefined : undefined;
    const scheme = forwarded("x-forwarded-proto") ?? (url.startsWith("https:") ? "https" : "http");
    const host = forwarded("x-forwarded-host") ?? headers.get("host") ?? "";
    if (!/^https?$/.test(scheme) || nameOf(host) === undefined) return undefined;
    return URL.parse(`${scheme}://${host}`)?.origin;
  };
  return {
    originOf,
    forwardedHeaders(visit) {
      const address = proxies.clientAddress(visit.request.headers, visit.address());
      const url = URL.parse(originOf(visit) ?? "");
      return [
        ...(address === undefined ? [] : [["x-forwarded-for", address] as const]),
        ...(url
          ? ([
              ["x-forwarded-host", url.host],
              ["x-forwarded-proto", url.protocol.slice(0, -1)],
            ] as const)
          : []),
      ];
    },
    assertAllowed({ headers }) {
      const host = headers.get("host") ?? "";
      // X-Forwarded-Host does not count: a page can send it itself to a server that trusts its neighbours.
      if (!isAnyHost && !isConfigured(host)) throw new Fault("host_not_allowed");
      const origin = headers.get("origin");
      if (origin === null || cors.allows(origin)) return;
      // This server's own page, under one of its configured names.
      if (!isAnyHost && URL.parse(origin)?.host === host.toLowerCase()) return;
      throw new Fault("origin_not_allowed");
    },
  };
}

/** Returns the name in a Host header, in the form that the configuration uses; undefined for an invalid one. */
function nameOf(host: string): string | undefined {
  return /^(?:\[([\da-f:.]+)\]|([\w.-]+?)\.?)(?::\d{1,5})?$/i
    .exec(host)
    ?.slice(1)
    .find((name) => name !== undefined)
    ?.toLowerCase();
}
