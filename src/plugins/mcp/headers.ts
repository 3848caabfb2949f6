import { type HeaderPairs, isHeaderValue } from "../../wire/frame.ts";
import { isMcpAnswerHeader, isMcpRequestHeader } from "../../wire/mcp-headers.ts";

/** The request's headers as the relay gets them. `x-request-id` is the one this server settled on. */
export function toRelayHeaders(headers: Headers, requestId: string): HeaderPairs {
  const pairs: [string, string][] = [["x-request-id", requestId]];
  for (const [name, value] of headers) {
    // Bun lets a DEL through, and a relay ends its link over a head that cannot be sent.
    if (isMcpRequestHeader(name) && name !== "x-request-id" && isHeaderValue(value)) pairs.push([name, value]);
  }
  return pairs;
}

/** The answer's headers as the client gets them. */
export function toClientHeaders(pairs: HeaderPairs, requestId: string): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (isMcpAnswerHeader(lower)) headers.append(lower, value);
  }
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  // Whatever it says it is, a browser must not make a page of this origin out of it.
  headers.set("content-security-policy", "sandbox");
  return headers;
}
