import type { Config } from "../config.ts";
import { Fault } from "../errors.ts";
import { createCors } from "../http/cors.ts";
import { isLoopback } from "../system/loopback.ts";

type GuardConfig = Pick<Config, "publicUrl" | "allowedHosts" | "allowedOrigins" | "host">;

/**
 * Names that nobody can register, and so cannot have lead here: addresses, single words, and suffixes that are reserved
 * (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
 */
const UNREGISTRABLE = /^(?:\[.*\]|[\d.]+|[^.]+|.*\.(?:localhost|local|internal|test|home\.arpa))\.?(?::\d+)?$/i;

/**
 * Where no key is asked for, whoever reaches the server is let in, and a browser on the same machine reaches it for
 * whatever page it has open. What is returned throws for such a page: `origin_not_allowed` for one of another site, and
 * `host_not_allowed` for one whose own name was made to lead here, on a server that listens for this machine only. A
 * server that listens further has no names to go by unless it is told some.
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
