import { ANONYMOUS, type Origin } from "../auth/caller.ts";
import type { McpCalled } from "../wire/mcp-call.ts";

/** The name of a caller that this server knows nothing about. */
export const ANYBODY = ANONYMOUS.name;

/** A call of an MCP server by a client of this server, which has ended or was refused. */
export interface EndedMcpCall {
  readonly requestId: string;
  readonly caller: Origin;
  readonly relayId: string;
  /** The server that has the relay; undefined if it is this one, or if no relay was found. */
  readonly server: string | undefined;
  /** A method of the specification, `GET`, `DELETE` or `other`. */
  readonly method: string;
  /** The tool, prompt or resource that the client has named, as far as this server has read it. */
  readonly name: string | undefined;
  /** What the relay says of it. */
  readonly called: McpCalled | undefined;
  readonly outcome: CallOutcome;
  /** The code of the error with which this server has answered; undefined for any other end. */
  readonly reason: string | undefined;
  /** The code of the JSON-RPC error with which the MCP server has answered, as far as it was read. */
  readonly rpcCode: number | undefined;
  readonly status: number | undefined;
  readonly durationMs: number;
  /** The bytes of the request's body that have arrived. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * How a call ended. `error`: the MCP server has answered with an error, or its tool has failed. `failed`: there was no complete
 * answer. `canceled`: the client has left. `denied`: the caller may call this relay, and may not use what the call named. `refused`:
 * the caller was not let in, or the call reached no relay.
 */
export type CallOutcome = "completed" | "error" | "failed" | "canceled" | "denied" | "refused";

/**
 * Takes note of the calls of MCP servers, each of them once, at the server that its client has called. Its method MUST be quick and
 * MUST NOT throw.
 */
export interface EndedCalls {
  add(call: EndedMcpCall): void;
}
