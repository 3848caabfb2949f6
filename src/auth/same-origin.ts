import { Fault } from "../errors.ts";

/**
 * Throws `origin_not_allowed` for a request that a page of another site sent. Browsers state the origin of a POST, and
 * scripts cannot change it. A request without one comes from another program, which has only its own user's cookies.
 */
export function assertSameOrigin(headers: Headers, isBehindTrustedProxy: boolean): void {
  const site = headers.get("sec-fetch-site");
  if (site !== null) {
    // `none` means that the user caused the request, for example by reloading the form's answer.
    if (site === "same-origin" || site === "none") return;
    throw new Fault("origin_not_allowed");
  }
  // Without TLS, browsers omit that header and state only the origin.
  const origin = headers.get("origin");
  if (origin === null) return;
  const here = (isBehindTrustedProxy ? headers.get("x-forwarded-host") : null) ?? headers.get("host");
  if (!URL.canParse(origin) || new URL(origin).host !== here?.toLowerCase()) throw new Fault("origin_not_allowed");
}
