import { isLoopback } from "../system/loopback.ts";
import { isLine, list, parsed } from "./kinds.ts";
import type { Kind } from "./setting.ts";

/** A claim of a user and the value that it must have. */
export interface ClaimRule {
  /** The name of the claim; dots lead into objects if there is no claim of the whole name. */
  readonly claim: string;
  /** The value, or one of the values if the claim is a list. */
  readonly value: string;
}

/** The address of an OpenID Connect issuer: https, or http on this machine. */
export const issuer: Kind<string> = {
  schema: parsed(parseIssuer),
  placeholder: "url",
  accepts: "an https URL, or an http URL of this machine",
  hint: "such as https://id.example.com/realms/office, written exactly as the issuer writes it",
};

/** A text that another program has given out: a client id or a client secret. */
export const oneLine: Kind<string> = {
  schema: parsed((text) => (isLine(text, 1024) ? text : undefined)),
  placeholder: "text",
  accepts: "one line of at most 1024 characters",
};

/** Claims and their values: `groups:gpu-admins`. */
export const claimRules: Kind<readonly ClaimRule[]> = list(parsed(parseRule), {
  placeholder: "claim:value,…",
  accepts: "claims with a value each, comma separated",
  hint: "such as groups:gpu-admins; a value with a comma needs a YAML list",
});

function parseIssuer(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    return undefined;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)) ? url.href : undefined;
}

/** The name ends at the first colon, apart from that of a URL: some issuers name their claims by URLs. */
function parseRule(text: string): ClaimRule | undefined {
  const [, claim, value] = /^([^:]+(?::\/\/[^:]+)?):(?!\/\/)(.+)$/.exec(text) ?? [];
  if (claim === undefined || value === undefined || !isLine(claim, 256) || !isLine(value, 1024)) return undefined;
  return { claim: claim.trim(), value: value.trim() };
}
