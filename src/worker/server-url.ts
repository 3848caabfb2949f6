import { isLoopback } from "../system/loopback.ts";

/** The path of a worker route, the predecessor's or ours, in which a server URL may end. */
const WORKER_ROUTE = /\/api\/[a-z]+\/connect$/;
const SCHEMES = new Set(["ws:", "wss:", "http:", "https:"]);

/**
 * Reads a server's base URL and removes a trailing slash and the path of a worker route. The scheme defaults to `wss://`, on
 * this machine to `ws://`. Returns undefined for anything else, including a URL with a user name or password.
 */
export function parseServerUrl(text: string): string | undefined {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const host = /^(?:\[[^\]]*\]|[^:/]*)/.exec(text)?.[0] ?? "";
  const isLocal = isLoopback(host.toLowerCase());
  return parsePlainUrl(hasScheme ? text : `${isLocal ? "ws" : "wss"}://${text}`, SCHEMES)?.replace(WORKER_ROUTE, "");
}

/** Reads an `http(s)` URL without credentials, query and fragment, and removes trailing slashes; undefined for anything else. */
export function parseBackendUrl(text: string): string | undefined {
  return parsePlainUrl(text, new Set(["http:", "https:"]));
}

/** Returns the URL that a worker of this kind dials: `wss://host/api/llm/connect`. Takes the result of `parseServerUrl`. */
export function connectUrl(server: string, kind: string): string {
  return `${server.replace(/^http/, "ws")}/api/${kind}/connect`;
}

/** Returns the server's URL for HTTP clients. Takes the result of `parseServerUrl`. */
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
