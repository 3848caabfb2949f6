import type { Relay } from "./relays.ts";

// The names under which the predecessor's State API has the relays and their calls, for programs that read these.

/** One relay. */
export interface ClientState {
  readonly id: string;
  readonly name: string;
  readonly status: "active" | "idle";
  readonly inflight: number;
  /** Requests ended, by method. */
  readonly functions: Readonly<Record<string, number>>;
}

/** One running request of one relay: the predecessor calls each a session. */
export interface CallState {
  /** The request's id. */
  readonly id: string;
  readonly client_id: string;
  readonly method: string;
  readonly started_at: string;
  readonly duration_ms: number;
}

/** Rows of running requests: the state is sent every second. */
const MAX_CALLS = 1000;

export function toClientStates(relays: readonly Relay[]): readonly ClientState[] {
  return relays.map(({ session: { worker }, running, methods }) => ({
    id: worker.id,
    name: worker.name,
    status: running.size > 0 ? "active" : "idle",
    inflight: running.size,
    functions: Object.fromEntries(methods),
  }));
}

/** Returns the running requests, at most 1000. `now` is in milliseconds since 1970. */
export function toCallStates(relays: readonly Relay[], now: number): readonly CallState[] {
  const calls: CallState[] = [];
  for (const { session, running } of relays) {
    for (const { requestId, method, startedAt } of running) {
      if (calls.length === MAX_CALLS) return calls;
      calls.push({
        id: requestId,
        client_id: session.worker.id,
        method,
        started_at: new Date(startedAt).toISOString(),
        duration_ms: Math.max(0, now - startedAt),
      });
    }
  }
  return calls;
}
