import type { Proxies } from "../auth/addresses.ts";
import { originSeen } from "../auth/public-origin.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";

/** An origin in which nothing has a meaning in any shell. The name may have an underscore, as those of containers do. */
const PLAIN_ORIGIN = /^https?:\/\/(?:[a-z\d._-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;

/** More characters than a name in the DNS has, with a scheme and a port. */
const MAX_CHARS = 280;

/**
 * Returns the origin at which the caller reaches this server: PUBLIC_URL, else what the request says. It goes into scripts
 * that people run, so it throws `host_not_allowed` for a Host that is more than a name and a port.
 */
export function joinOrigin(visit: Visit, publicUrl: string | undefined, proxies: Proxies): string {
  // A Host that is none makes an invalid URL.
  const origin = publicUrl ?? (URL.canParse(visit.request.url) ? originSeen(visit, proxies) : "");
  if (origin.length > MAX_CHARS || !PLAIN_ORIGIN.test(origin)) throw new Fault("host_not_allowed");
  return origin;
}
