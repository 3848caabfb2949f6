const encoder = new TextEncoder();

/** Makes an answer of one JSON value. It states its length, so that the link can carry a small one in one frame. */
export function jsonResponse(value: object, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const body = encoder.encode(JSON.stringify(value));
  return new Response(body, {
    status,
    headers: { ...headers, "content-type": "application/json", "content-length": String(body.length) },
  });
}
