import { isRecord, parseJson } from "../../json/parse.ts";
import { membersOf } from "../../json/scan.ts";
import type { HeaderPairs } from "../../wire/heads.ts";

/** The plan for an HTTP request to a relay whose dialect knows only single JSON-RPC calls. */
export type LegacyPlan =
  /** The dialect cannot express the request, so the server answers it. */
  | { readonly kind: "answer"; readonly status: number; readonly headers: HeaderPairs; readonly body: string }
  /** The request goes to the agent. `isAnswered`: the agent's answer is the client's. */
  | {
      readonly kind: "send";
      readonly payload: string;
      readonly id: string | undefined;
      readonly method: string;
      readonly isAnswered: boolean;
    };

const JSON_HEADERS: HeaderPairs = [["content-type", "application/json"]];
// A byte order mark is not JSON (RFC 8259 §8.1). Without `ignoreBOM` text and bytes would differ in their offsets.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decides by the request alone. Never throws. */
export function planLegacyCall(httpMethod: string, body: Uint8Array): LegacyPlan {
  if (httpMethod !== "POST") {
    // The answer of an MCP server without streams and sessions.
    return { kind: "answer", status: 405, headers: [["allow", "POST"]], body: "" };
  }
  const text = decode(body);
  const message = text === undefined ? undefined : parseJson(text);
  if (text === undefined || message === undefined) return rejected(-32_700, "The body is not JSON.");
  if (!isRecord(message)) return rejected(-32_600, "This relay takes one message at a time.");
  const { method } = message;
  // A notification, or the response to a question that this dialect cannot carry. The agent may ignore it.
  if (typeof method !== "string" || message["id"] === undefined) {
    return { kind: "send", payload: text, id: undefined, method: hintOf(method), isAnswered: false };
  }
  if (typeof message["id"] !== "string" && typeof message["id"] !== "number") {
    return rejected(-32_600, "An id must be a string or a number.");
  }
  const payload = withoutProgressToken(body) ?? text;
  return { kind: "send", payload, id: idAsWritten(body), method: hintOf(method), isAnswered: true };
}

/** Shortens a method for the agent's log. */
function hintOf(method: unknown): string {
  return typeof method === "string" ? method.slice(0, MAX_HINT_CHARS) : "";
}

const MAX_HINT_CHARS = 128;

/** Returns the id as it was written: a number may be larger than JavaScript can represent. */
function idAsWritten(body: Uint8Array): string | undefined {
  const range = membersOf(body)?.get("id");
  return range && decoder.decode(body.subarray(range.start, range.end));
}

/**
 * Removes the token that asks for progress. The agent takes the first event of a stream for the answer, so a progress event
 * would take the place of the result. Returns undefined for a message without such a token.
 */
function withoutProgressToken(body: Uint8Array): string | undefined {
  const params = membersOf(body)?.get("params");
  const meta = params && membersOf(body, params.start)?.get("_meta");
  const members = meta && membersOf(body, meta.start);
  if (!meta || !members?.has("progressToken")) return undefined;
  // Values stay as they were written: a number may be larger than JavaScript can represent.
  const rest = [...members]
    .filter(([name]) => name !== "progressToken")
    .map(([name, { start, end }]) => `${JSON.stringify(name)}:${decoder.decode(body.subarray(start, end))}`);
  const written = Buffer.from(`{${rest.join(",")}}`);
  return Buffer.concat([body.subarray(0, meta.start), written, body.subarray(meta.end)]).toString();
}

function rejected(code: number, message: string): LegacyPlan {
  const body = JSON.stringify({ jsonrpc: "2.0", error: { code, message } });
  return { kind: "answer", status: 400, headers: JSON_HEADERS, body };
}

function decode(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined; // Not UTF-8, so not JSON.
  }
}
