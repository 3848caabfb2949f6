import * as v from "valibot";
import { ANYBODY, type CallOutcome, type EndedMcpCall } from "../plugin/ended-calls.ts";
import type { KeyMask } from "../system/key-mask.ts";
import { cleanText } from "../wire/clean-text.ts";
import { MAX_ARGUMENT_CHARS } from "../wire/mcp-call.ts";

/** A call of an MCP server that has ended, as it is kept. */
export interface PastCall {
  /** Grows from call to call of one server. */
  readonly id: number;
  /** When it ended, in milliseconds since 1970. */
  readonly endedAt: number;
  readonly requestId: string;
  readonly relay: string;
  /** The server that has the relay; undefined if it is the one that keeps the call. */
  readonly relayServer?: string | undefined;
  /** The caller's name as in logs: `anonymous` where the server lets everybody through to the relay. */
  readonly caller: string;
  /** The id of a made key. */
  readonly key?: string | undefined;
  /** The name of the program that the holder of the key has let in; undefined for a caller with the key itself. */
  readonly client?: string | undefined;
  /** The caller's tenant at that time. */
  readonly tenant: string;
  /** The caller by the relay's own list. The server has not checked it. */
  readonly relayCaller?: string | undefined;
  readonly address?: string | undefined;
  readonly method: string;
  /** The tool, prompt or resource. */
  readonly name?: string | undefined;
  readonly outcome: CallOutcome;
  /** The code of an error of a Moorage server. */
  readonly reason?: string | undefined;
  /** The code of a JSON-RPC error of the MCP server. */
  readonly rpcCode?: number | undefined;
  readonly status?: number | undefined;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The arguments as JSON, where the owner of the relay wants them recorded. Cut where they are longer than the limit. */
  readonly arguments?: string | undefined;
}

export const OUTCOMES = [
  "completed",
  "error",
  "failed",
  "canceled",
  "denied",
  "refused",
] as const satisfies readonly CallOutcome[];

/** The most characters of each text but the arguments. */
const MAX_CHARS = 256;

/** Returns an ended call as it is kept: what clients and relays have chosen is cut, cleaned, and without keys. */
export function toPastCall(ended: EndedMcpCall, id: number, endedAt: number, mask: Pick<KeyMask, "apply">): PastCall {
  const { caller, called } = ended;
  const shown = (text: string | undefined): string | undefined =>
    text === undefined || text === ""
      ? undefined
      : mask.apply(cleanText(text.slice(0, 4 * MAX_CHARS))).slice(0, MAX_CHARS);
  // If the server knows the caller, the relay's name for it is ignored.
  const isNamed = caller.name !== ANYBODY;
  return {
    id,
    endedAt,
    requestId: ended.requestId,
    relay: shown(ended.relayId) ?? "",
    relayServer: ended.server,
    caller: caller.name.slice(0, MAX_CHARS),
    key: caller.keyId,
    client: shown(caller.client),
    tenant: caller.tenant,
    relayCaller: isNamed ? undefined : shown(called?.caller),
    address: caller.address,
    method: ended.method,
    name: shown(called?.name ?? ended.name),
    outcome: ended.outcome,
    reason: ended.reason,
    rpcCode: ended.rpcCode,
    status: ended.status,
    durationMs: Math.round(ended.durationMs),
    bytesIn: ended.bytesIn,
    bytesOut: ended.bytesOut,
    arguments: called?.arguments && mask.apply(cleanText(called.arguments)).slice(0, MAX_ARGUMENT_CHARS),
  };
}

const text = v.optional(v.string());
const count = v.pipe(v.number(), v.minValue(0));
const whole = v.pipe(v.number(), v.integer());

const pastCallSchema = v.object({
  id: v.pipe(whole, v.minValue(1)),
  endedAt: v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e15)),
  requestId: v.string(),
  relay: v.string(),
  relayServer: text,
  caller: v.string(),
  key: text,
  client: text,
  tenant: v.string(),
  relayCaller: text,
  address: text,
  method: v.string(),
  name: text,
  outcome: v.picklist(OUTCOMES),
  reason: text,
  rpcCode: v.optional(v.number()),
  status: v.optional(whole),
  durationMs: count,
  bytesIn: count,
  bytesOut: count,
  arguments: text,
} satisfies Record<keyof PastCall, v.GenericSchema>);

/** Returns the call that another server has sent; undefined for anything else. */
export function parsePastCall(value: unknown): PastCall | undefined {
  const read = v.safeParse(pastCallSchema, value);
  return read.success ? read.output : undefined;
}
