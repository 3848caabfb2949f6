import type { Origin } from "../../auth/caller.ts";
import type { Fault } from "../../errors.ts";
import type { CallOutcome, EndedMcpCall } from "../../plugin/ended-calls.ts";
import type { CallReport } from "./call-relay.ts";
import { type RpcFacts, usesTarget } from "./rpc-facts.ts";

/** A call of a client of this server that has ended. */
export interface EndedCall {
  readonly requestId: string;
  readonly caller: Origin;
  readonly relayId: string;
  /** The server that has the relay; undefined if it is this one. */
  readonly server: string | undefined;
  readonly facts: RpcFacts;
  /** The bytes of the request's body that have arrived. */
  readonly bytesIn: number;
  readonly report: CallReport;
}

/** A call of a client of this server that reached no relay. */
export interface UnservedCall extends Omit<EndedCall, "server" | "report"> {
  /** Why; undefined if its client has left. */
  readonly fault: Fault | undefined;
  readonly durationMs: number;
}

/**
 * Returns a call as it is kept; undefined for one that is not. Kept are the calls that use a tool, prompt or resource, those that may
 * have done so unseen, those that a relay has denied, and those of callers who were not let in.
 */
export function keptCall({ facts, report, ...call }: EndedCall): EndedMcpCall | undefined {
  const { called, fault, rpcCode, status, durationMs, bytesOut } = report;
  const outcome = outcomeOf(report);
  const isKept = usesTarget(facts.label) || !facts.isCertain || outcome === "denied" || outcome === "refused";
  if (!isKept) return undefined;
  return {
    ...call,
    method: facts.label,
    name: facts.target,
    called,
    outcome,
    reason: fault?.code,
    rpcCode,
    status,
    durationMs,
    bytesOut,
  };
}

/** The same for a call that reached no relay. */
export function keptUnserved({ facts, fault, ...call }: UnservedCall): EndedMcpCall | undefined {
  if (!usesTarget(facts.label) && !isRefusal(fault?.status)) return undefined;
  return {
    ...call,
    server: undefined,
    method: facts.label,
    name: facts.target,
    called: undefined,
    outcome: fault ? "refused" : "canceled",
    reason: fault?.code,
    rpcCode: undefined,
    status: fault?.status,
    bytesOut: 0,
  };
}

function outcomeOf({ outcome, called, status, isError }: CallReport): CallOutcome {
  if (called?.denied === true) return "denied";
  if (outcome !== "completed") return outcome;
  if (isRefusal(status)) return "refused";
  return isError ? "error" : "completed";
}

/** Whether a caller was not let in, or called too often. */
function isRefusal(status: number | undefined): boolean {
  return status === 401 || status === 403 || status === 429;
}
