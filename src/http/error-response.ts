import { ERRORS, type ErrorRule, type Fault } from "../errors.ts";

/** A fault as this server answers it over HTTP: OpenAI's error object, and the headers the official SDKs act on. */
export function errorResponse(fault: Fault, requestId: string): Response {
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
  return new Response(JSON.stringify(fault.body()), { status: rule.status, headers });
}
