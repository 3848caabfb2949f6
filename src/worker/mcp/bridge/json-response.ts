import type { Answer } from "../../../answering/opening.ts";

const encoder = new TextEncoder();

/** Makes an answer of one JSON value. It states its length, so that the link can carry a small one in one frame. */
export function jsonResponse(value: object, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const body = encoder.encode(JSON.stringify(value));
  return new Response(body, {
    status,
    headers: { ...headers, "content-type": "application/json", "content-length": String(body.length) },
  });
}

/** Makes the same of a value, or of its bytes, for the link itself. */
export function jsonAnswer(
  value: object | Uint8Array,
  status: number,
  headers: Readonly<Record<string, string>>,
): Answer {
  const body = value instanceof Uint8Array ? value : encoder.encode(JSON.stringify(value));
  const pairs: [string, string][] = [
    ["content-type", "application/json"],
    ["content-length", String(body.length)],
    ...Object.entries(headers),
  ];
  return { status, headers: pairs, body };
}
