import { ERRORS, type ErrorRule, type Fault } from "../errors.ts";

/**
 * Turns a fault into an HTTP response with the headers that the official SDKs act on. The body is OpenAI's error object,
 * unless the route has another form.
 */
export function errorResponse(fault: Fault, requestId: string, body: object = fault.body()): Response {
  const headers = errorHeaders(fault, requestId);
  // The SDKs retry 408, 409, 429 and 5xx unless told otherwise.
  const rule: ErrorRule = ERRORS[fault.code];
  if (!rule.retryable && (rule.status >= 500 || rule.status === 409 || rule.status === 429))
    headers.set("x-should-retry", "false");
  return new Response(JSON.stringify(body), { status: rule.status, headers });
}

/** Returns the headers of any response that tells of a fault in JSON. */
export function errorHeaders({ headers, retryAfterS }: Fault, requestId: string): Headers {
  return new Headers({
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-request-id": requestId,
    ...headers,
    ...(retryAfterS !== undefined && { "retry-after": String(retryAfterS) }),
  });
}
