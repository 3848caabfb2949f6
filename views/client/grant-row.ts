import type { GrantView } from "../../src/oauth/grant-view.ts";
import type { Row } from "./listing.ts";

// What the table of grants shows. Pure, so that tests need no browser.

/** Adds what the table shows and sorts by. */
export function toGrantRow(grant: GrantView): Row {
  const { client, holder } = grant;
  return {
    ...grant,
    client_name: client.name,
    client_id: client.id,
    origin: client.redirect_host === null ? "" : `signs in at ${client.redirect_host}`,
    holder_name: holder.name,
    holder_id: holder.key_id ?? holder.name,
    holder_kind: holder.kind === "key" ? "by a key" : "by the issuer",
  };
}
