import type { Fault } from "../../errors.ts";
import { dataEvent, namedEvent } from "../../reply/sse.ts";

/**
 * Writes an error as an event of the API that was called, so that its SDK raises it. Chat and completions expect
 * `data: {"error"}`, the Responses API an `error` event, and Anthropic's Messages API one of its own form. No `[DONE]` follows.
 */
export function errorEvent(path: string, fault: Fault): string {
  const { message, code, param } = fault.body().error;
  if (path === "/responses") return namedEvent("error", { type: "error", code, message, param, sequence_number: 0 });
  if (path === "/messages") {
    return namedEvent("error", {
      type: "error",
      error: { type: fault.status === 503 ? "overloaded_error" : "api_error", message },
    });
  }
  return dataEvent(fault.body());
}
