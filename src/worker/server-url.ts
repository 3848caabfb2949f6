import { isLoopback } from "../system/loopback.ts";

/** Paths of the predecessor's and our own worker routes, which a server URL may end in. */
const WORKER_ROUTE = /\/api\/[a-z]+\/connect$/;
const SCHEMES = new Set(["ws:", "wss:", "http:", "https:"]);

/**
 * A server's base URL, without a trailing slash and without the path of a worker route. Without a scheme it is `wss://`, or
 * `ws://` on this machine. Undefined for what cannot be such a URL; one with a user name or password is refused too.
 */
export function parseServerUrl(text: string): string | undefined {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const host = /^(?:\[[^\]]*\]|[^:/]*)/.exec(text)?.[0] ?? "";
  const isLocal = isLoopback(host.toLowerCase());
  return parsePlainUrl(hasScheme ? text : `${isLocal ? "ws" : "wss"}://${text}`, SCHEMES)?.replace(WORKER_ROUTE, "");
}

/** An `http(s)` URL without a trailing slash, user name, password, query and fragment; undefined for anything else. */
export function parseBackendUrl(text: string): string | undefined {
  return parsePlainUrl(text, new Set(["http:", "https:"]));
}

/** Where a worker of this kind dials: `wss://host/api/llm/connect`. Takes what `parseServerUrl` returned. */
export function connectUrl(server: string, kind: string): string {
  return `${server.replace(/^http/, "ws")}/api/${kind}/connect`;
}

/** The same server for HTTP clients. Takes what `parseServerUrl` returned. */
export function httpUrl(server: string): string {
  return server.replace(/^ws/, "http");
}

function parsePlainUrl(text: string, schemes: ReadonlySet<string>): string | undefined {
  if (!/^[a-z]+:\/\/[^/\s]/i.test(text) || /\s/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  return isPlain && schemes.has(url.protocol)
    ? `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`
    : undefined;
}
