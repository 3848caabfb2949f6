import type { Fault } from "../../errors.ts";
import { errorResponse } from "../../http/error-response.ts";

/** Whether a path belongs to Anthropic's Messages API, whose clients read errors in a form of their own. */
export function isMessagesPath(path: string): boolean {
  return path === "/messages" || path.startsWith("/messages/");
}

/** Anthropic's error types by status, as their documentation lists them. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [401, "authentication_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
]);

/** Returns Anthropic's type for an error with this status. */
export function anthropicType(status: number): string {
  return TYPES.get(status) ?? (status < 500 ? "invalid_request_error" : "api_error");
}

/** Returns an error's body in Anthropic's form. `code` and `param` are this server's additions. */
export function anthropicError(fault: Fault, requestId: string): object {
  const { message, code, param } = fault;
  const error = { type: anthropicType(fault.status), message, code, ...(param === null ? {} : { param }) };
  return { type: "error", error, request_id: requestId };
}

/**
 * Turns a fault into a response of the Messages API. Status and headers are those of any other error. Anthropic's SDKs read
 * the request id from `request-id`.
 */
export function anthropicResponse(fault: Fault, requestId: string): Response {
  const response = errorResponse(fault, requestId, anthropicError(fault, requestId));
  response.headers.set("request-id", requestId);
  return response;
}
