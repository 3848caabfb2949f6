import { ERRORS, type ErrorRule, type Fault } from "../errors.ts";

/**
 * Turns a fault into an HTTP response with the headers that the official SDKs act on. The body is OpenAI's error object,
 * unless the route has another form.
 */
export function errorResponse(fault: Fault, requestId: string, body: object = fault.body()): Response {
  const headers = new Headers({
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  for (const [name, value] of Object.entries(fault.headers)) headers.set(name, value);
  if (fault.retryAfterS !== undefined) headers.set("retry-after", String(fault.retryAfterS));
  // The SDKs retry 408, 409, 429 and 5xx unless told otherwise.
  const rule: ErrorRule = ERRORS[fault.code];
  if (!rule.retryable && (rule.status >= 500 || rule.status === 409)) headers.set("x-should-retry", "false");
  return new Response(JSON.stringify(body), { status: rule.status, headers });
}
