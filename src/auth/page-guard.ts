import type { Config } from "../config.ts";
import { Fault } from "../errors.ts";
import { createCors } from "../http/cors.ts";
import { isLoopback } from "../system/loopback.ts";
import { assertSameOrigin } from "./same-origin.ts";

type GuardConfig = Pick<Config, "publicUrl" | "allowedHosts" | "allowedOrigins" | "host">;

/**
 * Names that nobody can register, so that no attacker can point them at this server: addresses, single words, and reserved
 * suffixes (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
 */
const UNREGISTRABLE = /^(?:\[.*\]|[\d.]+|[^.]+|.*\.(?:localhost|local|internal|test|home\.arpa))\.?(?::\d+)?$/i;

/**
 * Creates a check of requests that need no key. Without a key, any page that is open in a browser on the same machine could
 * use the server. The check throws `origin_not_allowed` for a page of another site, and `host_not_allowed` for a page whose
 * own name was pointed at this server (DNS rebinding). Names are checked only if the server listens on loopback, because
 * elsewhere it cannot know by which names it is reached.
 */
export function createPageGuard(config: GuardConfig): (headers: Headers) => void {
  const cors = createCors(config);
  const names = new Set(config.allowedHosts);
  if (config.publicUrl !== undefined) names.add(new URL(config.publicUrl).hostname);
  const isHostChecked = isLoopback(config.host) && !names.has("*");
  return (headers) => {
    const host = headers.get("host")?.toLowerCase() ?? "";
    if (isHostChecked && host !== "" && !UNREGISTRABLE.test(host) && !names.has(host.replace(/:\d+$/, "")))
      throw new Fault("host_not_allowed");
    const origin = headers.get("origin");
    if (origin === null || cors.allows(origin) || URL.parse(origin)?.host === host) return;
    throw new Fault("origin_not_allowed");
  };
}

/**
 * Returns a check of requests that carry a role. A proxy gives its user's role to whatever the user's browser sends, for
 * any page that is open there, WebSockets included. The check throws `origin_not_allowed` for a page of another site,
 * unless `ALLOWED_ORIGINS` names that site: `*` is not enough, since it is meant for pages that bring keys. A request
 * without an `Origin`, such as a link that is followed, passes: no page can read the answer to it.
 */
export function createRoleGuard({ allowedOrigins, publicUrl, host }: GuardConfig): (headers: Headers) => void {
  const named = allowedOrigins.filter((origin) => origin !== "*");
  const cors = createCors({ allowedOrigins: named, publicUrl, host });
  return (headers) => {
    const origin = headers.get("origin");
    // Only a trusted proxy gives a role, so its X-Forwarded-Host counts.
    if (origin !== null && !cors.allows(origin)) assertSameOrigin(headers, true);
  };
}
