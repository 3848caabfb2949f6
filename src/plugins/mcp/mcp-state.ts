import type { Relay } from "./relays.ts";

// What the State API says of MCP: names in snake_case, plain copies.

export interface McpState {
  readonly server: { readonly state: "ready" | "not_ready" | "draining" };
  readonly relays_summary: {
    readonly connected: number;
    readonly calls_inflight: number;
    readonly streams_open: number;
  };
  /** Requests ended or refused since the server started, by method. */
  readonly methods: Readonly<Record<string, number>>;
  readonly relays: readonly RelayState[];
}

/** One relay in the State API. Times are RFC 3339; text is the relay's own word. */
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
  readonly served_total: number;
  readonly failures_total: number;
  readonly last_error: string | null;
}

export function toMcpState(
  relays: Iterable<Relay>,
  methods: ReadonlyMap<string, number>,
  isDraining: boolean,
): McpState {
  const shown = [...relays].map(toRelayState);
  const sum = (of: (relay: RelayState) => number): number => shown.reduce((total, relay) => total + of(relay), 0);
  return {
    server: { state: isDraining ? "draining" : shown.length > 0 ? "ready" : "not_ready" },
    relays_summary: {
      connected: shown.length,
      calls_inflight: sum((relay) => relay.calls_inflight),
      streams_open: sum((relay) => relay.streams_open),
    },
    methods: Object.fromEntries(methods),
    relays: shown,
  };
}

function toRelayState({ session, calls, streams, served, failed, lastError }: Relay): RelayState {
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
    served_total: served,
    failures_total: failed,
    last_error: lastError ?? null,
  };
}
