import type { Answer } from "../../../answering/opening.ts";
import type { HeaderPairs } from "../../../wire/heads.ts";
import type { McpCalled } from "../../../wire/mcp-call.ts";
import { rpcError } from "../bridge/rpc-error.ts";

/** A JSON-RPC error as a whole answer of the relay itself. */
export interface OwnAnswer {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly id?: string | number | undefined;
  readonly data?: object | undefined;
  readonly headers?: HeaderPairs;
  readonly called?: McpCalled | undefined;
}

export function ownAnswer({ status, code, message, id, data, headers = [], called }: OwnAnswer): Answer {
  const body = new TextEncoder().encode(JSON.stringify(rpcError(code, message, id, data)));
  return {
    status,
    headers: [...headers, ["content-type", "application/json"], ["content-length", String(body.length)]],
    body,
    ...(called ? { called } : {}),
  };
}
