import * as v from "valibot";
import type { OfServer } from "../plugin/joined-trails.ts";
import { OUTCOMES, type PastCall } from "./past-call.ts";

const text = (description: string) => v.pipe(v.nullable(v.string()), v.description(description));
const number = (description: string) => v.pipe(v.number(), v.description(description));

/** A call in answers, and a line of an export. */
export const callSchema = v.object({
  id: number("Grows from call to call of one server."),
  server: v.pipe(v.optional(v.string()), v.description("In a cluster, the server that the client has called.")),
  ended_at: v.pipe(v.string(), v.description("RFC 3339.")),
  request_id: v.pipe(v.string(), v.description("The id in `x-request-id` and in logs.")),
  relay: v.pipe(v.string(), v.description("The id of the relay.")),
  relay_server: text("In a cluster, the server that has the relay; null if the client has called that one."),
  caller: v.pipe(
    v.string(),
    v.description("The caller's name as in logs; `anonymous` where the relay decides who may call."),
  ),
  key: text("The id of the caller's key."),
  client: text("The program that the holder of the key has let in."),
  tenant: v.pipe(v.string(), v.description("The caller's tenant at that time.")),
  relay_caller: text("The caller's name by the list of the relay, which this server has not checked."),
  address: text("The client's address."),
  method: v.pipe(
    v.string(),
    v.description("`tools/call` and the like; `other` for a body whose method this server has not read."),
  ),
  name: text("The tool, the prompt or the URI of the resource."),
  outcome: v.pipe(
    v.picklist(OUTCOMES),
    v.description(
      "`completed`; `error`: the MCP server has answered with an error, or its tool has failed; `failed`: there was no complete answer; `canceled`: the client has left; `denied`: the caller may not use what the call named; `refused`: the caller was not let in, or the call reached no relay.",
    ),
  ),
  reason: text("The code of an error of this server."),
  rpc_code: v.pipe(v.nullable(v.number()), v.description("The code of a JSON-RPC error of the MCP server.")),
  status: v.pipe(v.nullable(v.number()), v.description("The status of the answer; null if none has begun.")),
  duration_ms: number("From the request to the end of the answer."),
  bytes_in: number("The bytes of the request's body that have arrived."),
  bytes_out: number("The bytes of the answer's body."),
  arguments: text(
    "The arguments as JSON, cut after 4096 characters. Null if the relay does not record them, and for viewers.",
  ),
});

export type CallJson = v.InferOutput<typeof callSchema>;

/** Returns a call as answers have it. `withArguments` is false for those who may not read arguments. */
export function toCallJson({ server, entry: call }: OfServer<PastCall>, withArguments: boolean): CallJson {
  return {
    id: call.id,
    ...(server !== "" && { server }),
    ended_at: new Date(call.endedAt).toISOString(),
    request_id: call.requestId,
    relay: call.relay,
    relay_server: call.relayServer ?? null,
    caller: call.caller,
    key: call.key ?? null,
    client: call.client ?? null,
    tenant: call.tenant,
    relay_caller: call.relayCaller ?? null,
    address: call.address ?? null,
    method: call.method,
    name: call.name ?? null,
    outcome: call.outcome,
    reason: call.reason ?? null,
    rpc_code: call.rpcCode ?? null,
    status: call.status ?? null,
    duration_ms: call.durationMs,
    bytes_in: call.bytesIn,
    bytes_out: call.bytesOut,
    arguments: (withArguments ? call.arguments : undefined) ?? null,
  };
}
