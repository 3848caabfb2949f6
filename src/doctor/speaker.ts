import { ERRORS } from "../errors.ts";
import { isRecord, parseJson } from "../json/parse.ts";
import { bad, type Finding } from "./check.ts";

/** The parts of an answer that show who sent it. */
export interface Spoken {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Returns the code of one of Moorage's own errors; undefined for any other answer. */
export function moorageCode({ status, text }: Spoken): string | undefined {
  const json = parseJson(text);
  const error = isRecord(json) ? json["error"] : undefined;
  const code = isRecord(error) ? error["code"] : undefined;
  if (typeof code !== "string" || !Object.hasOwn(ERRORS, code)) return undefined;
  // The check above has found it in the table.
  return ERRORS[code as keyof typeof ERRORS].status === status ? code : undefined;
}

/** Returns the name that the sender of an answer gives itself: `nginx`. */
export function speakerName({ headers, text }: Spoken): string {
  const named = headers.get("server")?.split(/[\s/(]/)[0] ?? "";
  if (/^[\w.-]{1,40}$/.test(named)) return named;
  const known = /\b(nginx|cloudflare|caddy|haproxy|traefik|apache|envoy|openresty)\b/i.exec(text)?.[1];
  return known === undefined ? "an unnamed program" : known.toLowerCase();
}

/** Says what an answer means that a working Moorage server would not have sent. */
export function strangeAnswer(spoken: Spoken, base: string): Finding {
  const { status } = spoken;
  const code = moorageCode(spoken);
  if (code !== undefined) return ownError(status, code);
  const measured = `responds with ${status}, from ${speakerName(spoken)}`;
  if (status >= 300 && status < 400) return redirected(spoken, base);
  switch (status) {
    case 502:
    case 503:
    case 504:
      return bad(
        measured,
        "A proxy responds, but does not reach the server. Check that the server runs, and that the proxy has its address and port.",
      );
    case 404:
      return bad(
        measured,
        "Another program responds at this address. Compare name, port and path with what the proxy passes to the server.",
      );
    case 401:
    case 403:
    case 407:
      return bad(
        measured,
        "Something in front of the server refuses requests. Let workers and clients past its sign-in or filter.",
      );
    case 429:
      return bad(measured, "Something in front of the server limits requests. Wait, or raise its limit.");
    default:
      return bad(measured, "A Moorage server does not respond like this. Check what is at this address.");
  }
}

function ownError(status: number, code: string): Finding {
  const measured = `responds with ${status} ${code}`;
  if (code === "draining")
    return bad(measured, "The server is shutting down. If no other takes its place within a few minutes, start one.");
  if (code === "too_many_auth_failures")
    return bad(
      measured,
      "The key is wrong, and this address has sent many other wrong keys. Compare the keys, and find the program that keeps sending wrong ones.",
    );
  if (code === "too_many_requests")
    return bad(
      measured,
      "This key or address has its maximum number of requests in progress. See MAX_REQUESTS_PER_KEY and MAX_REQUESTS_PER_ADDRESS.",
    );
  if (code === "unknown_url")
    return bad(
      measured,
      "The server has no such route. Check that the proxy does not change paths, and check PLUGINS.",
    );
  return bad(measured, "docs/errors.md explains this code.");
}

function redirected({ status, headers }: Spoken, base: string): Finding {
  const to = headers.get("location") ?? "";
  const url = URL.canParse(to, base) ? new URL(to, base) : undefined;
  const measured = `responds with ${status}, which redirects${url ? ` to ${url.origin}` : ""}`;
  const from = new URL(base);
  if (url?.protocol === "https:" && from.protocol === "http:" && url.hostname === from.hostname)
    return bad(
      measured,
      `Workers do not follow redirects. Give them --server ${url.origin}${from.pathname.replace(/\/$/, "")}.`,
    );
  return bad(measured, "Workers do not follow redirects. Give them the final address.");
}
