import type { EndedMcpCall } from "../../src/plugin/ended-calls.ts";
import { NOBODY } from "./nobody.ts";

/** A call of a tool that has ended well. */
export function endedCall(more: Partial<EndedMcpCall> = {}): EndedMcpCall {
  return {
    requestId: "request",
    caller: NOBODY,
    relayId: "files",
    server: undefined,
    method: "tools/call",
    name: "read_file",
    called: undefined,
    outcome: "completed",
    reason: undefined,
    rpcCode: undefined,
    status: 200,
    durationMs: 12.4,
    bytesIn: 100,
    bytesOut: 400,
    ...more,
  };
}
