import type { StreamError } from "../../reply/late-answer.ts";
import { dataEvent, namedEvent } from "../../reply/sse.ts";
import { anthropicType, isMessagesPath } from "./anthropic-error.ts";

/**
 * Writes an error as an event of the API that was called, so that its SDK raises it. Chat and completions expect `data:
 * {"error"}`, the Responses API an `error` event, and Anthropic's Messages API one of its own form. No `[DONE]` follows.
 */
export function errorEvent(path: string, error: StreamError): string {
  const { code, message, param, status } = error;
  if (path === "/responses") return namedEvent("error", { type: "error", code, message, param, sequence_number: 0 });
  if (!isMessagesPath(path)) return dataEvent(error.body());
  const type = error.type ?? anthropicType(status);
  return namedEvent("error", { type: "error", error: { type, message } });
}
