import type { Visit } from "../http/visit.ts";
import type { Proxies } from "./addresses.ts";

/** Returns whether the browser behind a visit uses https, according to the connection or to a trusted proxy. */
export function isSecure(visit: Visit, proxies: Proxies): boolean {
  const { headers, url } = visit.request;
  if (url.startsWith("https:")) return true;
  const scheme = headers.get("x-forwarded-proto")?.split(",")[0]?.trim();
  return scheme === "https" && proxies.isTrusted(visit.address());
}

/** Returns the origin at which the browser behind a visit sees this server, if the configuration states none. */
export function originSeen(visit: Visit, proxies: Proxies): string {
  const { headers, url } = visit.request;
  const forwarded = proxies.isTrusted(visit.address()) ? headers.get("x-forwarded-host") : null;
  const host = forwarded?.split(",")[0]?.trim() ?? headers.get("host") ?? "";
  const origin = `${isSecure(visit, proxies) ? "https" : "http"}://${host}`;
  return URL.canParse(origin) ? new URL(origin).origin : new URL(url).origin;
}
