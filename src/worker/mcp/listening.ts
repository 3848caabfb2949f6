import type { RequestHead } from "../../wire/heads.ts";
import { LISTEN_METHOD } from "../../wire/mcp-headers.ts";

/**
 * Returns whether a request asks for an event stream that only listens: a GET, or the POST with which clients of the
 * stateless era subscribe. They repeat its method in a header.
 */
export function isListening({ method, headers }: RequestHead): boolean {
  if (method !== "POST") return method === "GET";
  return headers.some(([name, value]) => name.toLowerCase() === "mcp-method" && value === LISTEN_METHOD);
}
