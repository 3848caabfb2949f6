import { type AddressSource, createProxies } from "../../auth/addresses.ts";
import type { Config } from "../../config.ts";
import { Fault } from "../../errors.ts";
import { createCors, isLoopback } from "../../http/cors.ts";

/** The names of this server, and who may use them. */
export interface PublicNames {
  /**
   * Lets no page call, or by a name that it made point here read what is called, that is not meant to. Throws
   * `host_not_allowed` or `origin_not_allowed`.
   */
  assertAllowed(request: Request): void;
  /** The origin by which the client knows this server: configured, else as the request has it. Undefined for a broken one. */
  originOf(request: Request, address: AddressSource): string | undefined;
}

type NamesConfig = Pick<Config, "publicUrl" | "allowedHosts" | "allowedOrigins" | "host" | "trustedProxies">;

/**
 * Names are compared with what is configured and never with each other alone: a page that rebinds its name sends that
 * as Host and as Origin. A server that was told none of its names takes any Host, and has the origins to go by.
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
  return {
    assertAllowed({ headers }) {
      const host = headers.get("host") ?? "";
      // Not X-Forwarded-Host: a page can send that one itself, to a server whose neighbours are trusted.
      if (!isAnyHost && !isConfigured(host)) throw new Fault("host_not_allowed");
      const origin = headers.get("origin");
      if (origin === null || cors.allows(origin)) return;
      // A page of this server, under a name that is known to be its own.
      if (!isAnyHost && URL.parse(origin)?.host === host.toLowerCase()) return;
      throw new Fault("origin_not_allowed");
    },
    originOf({ headers, url }, address) {
      if (publicUrl !== undefined) return publicUrl;
      const isTrusted =
        (headers.has("x-forwarded-host") || headers.has("x-forwarded-proto")) && proxies.isTrusted(address());
      const told = (name: string): string | undefined =>
        isTrusted ? headers.get(name)?.split(",")[0]?.trim() || undefined : undefined;
      const scheme = told("x-forwarded-proto") ?? (url.startsWith("https:") ? "https" : "http");
      const host = told("x-forwarded-host") ?? headers.get("host") ?? "";
      if (!/^https?$/.test(scheme) || nameOf(host) === undefined) return undefined;
      return URL.parse(`${scheme}://${host}`)?.origin;
    },
  };
}

/** The name in a Host header, as the configuration has names; undefined for what is none. */
function nameOf(host: string): string | undefined {
  return /^(?:\[([\da-f:.]+)\]|([\w.-]+?)\.?)(?::\d{1,5})?$/i
    .exec(host)
    ?.slice(1)
    .find((name) => name !== undefined)
    ?.toLowerCase();
}
