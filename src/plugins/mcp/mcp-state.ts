import type { RestrictionState } from "../../plugin/restriction-state.ts";
import { type FunctionCount, medianMs } from "./function-counts.ts";
import { type CallState, type ClientState, toCallStates, toClientStates } from "./predecessor-state.ts";
import { brokenReason } from "./relay-health.ts";
import type { Relay } from "./relays.ts";

// The part of the State API about MCP: plain copies, with names in snake_case.

export interface McpState {
  readonly server: { readonly state: "ready" | "not_ready" | "draining" };
  readonly relays_summary: {
    readonly connected: number;
    readonly calls_inflight: number;
    readonly streams_open: number;
    /** MCP sessions that clients hold, as far as requests and answers show. */
    readonly sessions: number;
  };
  /** Requests ended or refused since the server started, by method. */
  readonly methods: Readonly<Record<string, number>>;
  readonly relays: readonly RelayState[];
  /** The relay ids that operators have drained or blocked, connected or not. */
  readonly restrictions: readonly RestrictionState[];
  /** Functions that were called on these relays: at most 1000, the most called ones. */
  readonly functions: readonly FunctionState[];
  /** The relays again, as the predecessor's State API names them. */
  readonly clients: readonly ClientState[];
  /** The running requests, which the predecessor calls sessions. */
  readonly sessions: readonly CallState[];
}

/** One function of one relay. Times are in milliseconds; null before a call has ended by itself. */
export interface FunctionState {
  /** The relay's id. */
  readonly relay: string;
  /** The name that callers use, or `other` for functions past a relay's first 64. */
  readonly name: string;
  readonly calls: number;
  /** Calls that ended with an error, as far as the answers show. */
  readonly failures: number;
  readonly last_ms: number | null;
  readonly avg_ms: number | null;
  /** The median of the last 32 calls. */
  readonly p50_ms: number | null;
}

/** Rows of `functions`. A page cannot show more, and the state is sent every second. */
const MAX_FUNCTIONS = 1000;

/** One relay in the State API. Times are RFC 3339; the relay chose its name and the texts. */
export interface RelayState {
  readonly id: string;
  readonly name: string;
  readonly dialect: "native" | "legacy";
  readonly version: string | null;
  readonly upstream: string | null;
  readonly auth: string | null;
  readonly connected_at: string;
  readonly calls_inflight: number;
  readonly streams_open: number;
  readonly sessions: number;
  readonly sessions_opened_total: number;
  /** Requests ended, by method. */
  readonly methods: Readonly<Record<string, number>>;
  readonly served_total: number;
  readonly failures_total: number;
  readonly operator_drained: boolean;
  /** `broken`: its MCP server does not work, as far as the relay or its calls show. Calls are still sent there. */
  readonly status: "ready" | "broken";
  /** Why the MCP server is broken, in words; some of them may be the relay's. */
  readonly status_reason: string | null;
  /** Error code of the last failed call. */
  readonly last_error: string | null;
  readonly last_error_at: string | null;
}

export function toMcpState(
  connected: Iterable<Relay>,
  restrictions: readonly RestrictionState[],
  methods: ReadonlyMap<string, number>,
  isDraining: boolean,
  now: number,
): McpState {
  const relays = [...connected];
  const shown = relays.map(toRelayState);
  const sum = (of: (relay: RelayState) => number): number => shown.reduce((total, relay) => total + of(relay), 0);
  return {
    server: { state: isDraining ? "draining" : shown.length > 0 ? "ready" : "not_ready" },
    relays_summary: {
      connected: shown.length,
      calls_inflight: sum((relay) => relay.calls_inflight),
      streams_open: sum((relay) => relay.streams_open),
      sessions: sum((relay) => relay.sessions),
    },
    methods: Object.fromEntries(methods),
    relays: shown,
    restrictions,
    functions: toFunctionStates(relays),
    clients: toClientStates(relays),
    sessions: toCallStates(relays, now),
  };
}

function toFunctionStates(relays: readonly Relay[]): readonly FunctionState[] {
  const all = relays.flatMap(({ session, functions }) =>
    [...functions.all()].map((count) => ({ relay: session.worker.id, count })),
  );
  if (all.length > MAX_FUNCTIONS) all.sort((a, b) => b.count.calls - a.count.calls);
  return all.slice(0, MAX_FUNCTIONS).map(({ relay, count }) => toFunctionState(relay, count));
}

function toFunctionState(relay: string, count: FunctionCount): FunctionState {
  const { name, calls, failures, lastMs, totalMs, timed } = count;
  const shown = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10);
  return {
    relay,
    name,
    calls,
    failures,
    last_ms: shown(lastMs),
    avg_ms: shown(timed === 0 ? undefined : totalMs / timed),
    p50_ms: shown(medianMs(count)),
  };
}

function toRelayState(relay: Relay): RelayState {
  const { session, calls, streams, served, failed, isDrained, lastError, lastErrorAt, held, methods } = relay;
  const reason = brokenReason(relay);
  const { worker, dialect, connectedAt } = session;
  return {
    id: worker.id,
    name: worker.name,
    dialect,
    version: worker.version ?? null,
    upstream: worker.hostInfo["upstream"] ?? null,
    auth: worker.hostInfo["auth"] ?? null,
    connected_at: new Date(connectedAt).toISOString(),
    calls_inflight: calls,
    streams_open: streams,
    sessions: held.count(),
    sessions_opened_total: held.opened,
    methods: Object.fromEntries(methods),
    served_total: served,
    failures_total: failed,
    operator_drained: isDrained,
    status: reason === undefined ? "ready" : "broken",
    status_reason: reason ?? null,
    last_error: lastError ?? null,
    last_error_at: lastErrorAt === undefined ? null : new Date(lastErrorAt).toISOString(),
  };
}
