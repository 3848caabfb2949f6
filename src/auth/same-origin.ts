import { Fault } from "../errors.ts";

/**
 * Refuses a form that another site's page sent. Browsers say where a POST comes from and scripts cannot change that;
 * a request that says nothing comes from no browser and carries nobody's cookies but its sender's own.
 */
export function assertSameOrigin(headers: Headers, isBehindTrustedProxy: boolean): void {
  const site = headers.get("sec-fetch-site");
  if (site !== null) {
    // `none` is a person's own doing, such as a reload of the form's answer.
    if (site === "same-origin" || site === "none") return;
    throw new Fault("origin_not_allowed");
  }
  // Without TLS browsers leave that header out, and say the origin only.
  const origin = headers.get("origin");
  if (origin === null) return;
  const here = (isBehindTrustedProxy ? headers.get("x-forwarded-host") : null) ?? headers.get("host");
  if (!URL.canParse(origin) || new URL(origin).host !== here?.toLowerCase()) throw new Fault("origin_not_allowed");
}
