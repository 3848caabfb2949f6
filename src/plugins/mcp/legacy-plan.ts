import { isRecord, parseJson } from "../../json/parse.ts";
import { membersOf } from "../../json/scan.ts";
import type { HeaderPairs } from "../../tunnel/frame.ts";

/** What is made of an HTTP request for a relay that knows single JSON-RPC calls only. */
export type LegacyPlan =
  /** Its dialect has nothing for it: answered here. */
  | { readonly kind: "answer"; readonly status: number; readonly headers: HeaderPairs; readonly body: string }
  /** Sent to the agent. `isAnswered`: a client waits for what comes back. */
  | {
      readonly kind: "send";
      readonly payload: string;
      readonly id: string | undefined;
      readonly method: string;
      readonly isAnswered: boolean;
    };

const JSON_HEADERS: HeaderPairs = [["content-type", "application/json"]];
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Pure: decides by the request alone. */
export function planLegacyCall(httpMethod: string, body: Uint8Array): LegacyPlan {
  if (httpMethod !== "POST") {
    // What a server without streams and sessions says.
    return { kind: "answer", status: 405, headers: [["allow", "POST"]], body: "" };
  }
  const text = decode(body);
  const message = text === undefined ? undefined : parseJson(text);
  if (text === undefined || message === undefined) return rejected(-32_700, "The body is not JSON.");
  if (!isRecord(message)) return rejected(-32_600, "This relay takes one message at a time.");
  const { method } = message;
  // A response to a question that this dialect cannot carry, or a notification: sent for what it is worth.
  if (typeof method !== "string" || message["id"] === undefined) {
    return { kind: "send", payload: text, id: undefined, method: hintOf(method), isAnswered: false };
  }
  if (typeof message["id"] !== "string" && typeof message["id"] !== "number") {
    return rejected(-32_600, "An id must be a string or a number.");
  }
  const payload = withoutProgressToken(message, body) ?? text;
  return { kind: "send", payload, id: idAsWritten(body), method: hintOf(method), isAnswered: true };
}

/** For the agent's own log. */
function hintOf(method: unknown): string {
  return typeof method === "string" ? method.slice(0, MAX_HINT_CHARS) : "";
}

const MAX_HINT_CHARS = 128;

/** A number may be beyond JavaScript's, so it is never read as one. */
function idAsWritten(body: Uint8Array): string | undefined {
  const range = membersOf(body)?.get("id");
  return range && decoder.decode(body.subarray(range.start, range.end));
}

/**
 * The agent takes the first event of a stream for the answer: a call that is to be told of its progress would lose its
 * result. Undefined for a message without such a token.
 */
function withoutProgressToken(message: Readonly<Record<string, unknown>>, body: Uint8Array): string | undefined {
  const params = message["params"];
  const meta = isRecord(params) ? params["_meta"] : undefined;
  if (!isRecord(params) || !isRecord(meta) || meta["progressToken"] === undefined) return undefined;
  const { progressToken: _, ...rest } = meta;
  const range = membersOf(body)?.get("params");
  if (!range) return undefined;
  // Only the parameters are written anew: an id may be a number beyond JavaScript's.
  const written = JSON.stringify({ ...params, _meta: rest });
  return Buffer.concat([body.subarray(0, range.start), Buffer.from(written), body.subarray(range.end)]).toString();
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
