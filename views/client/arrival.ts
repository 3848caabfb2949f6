import type { WorkKind } from "./worker-setup.ts";

// How far a worker has come that somebody has just started. All functions are pure.

/** A worker or a relay of the State API, as far as its arrival needs it. Its fields are what the server says of it. */
export interface Arrived {
  readonly id: string;
  readonly name: string;
  /** Whether it gets work now. */
  readonly isReady: boolean;
  /** Why it gets none; empty while it is ready, and if nobody says. */
  readonly reason: string;
  readonly models: readonly string[];
  /** How long it has been connected, by the server's clock: RFC 3339. */
  readonly connectedAt: string;
}

/** The time in which a worker usually arrives. npx downloads the program in it when it runs for the first time. */
export const USUAL_MS = 60_000;

interface WorkerRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly models?: readonly string[];
  readonly connected_at: string;
}

interface Listed {
  readonly workers?: readonly WorkerRow[];
  readonly relays?: readonly WorkerRow[];
}

/** Returns the workers that a plugin's part of the State API lists. */
export function workersIn(kind: WorkKind, state: Readonly<Record<string, unknown>> | undefined): readonly Arrived[] {
  const { workers, relays } = (state ?? {}) as Listed; // the server's own; the OpenAPI document describes it
  return ((kind === "mcp" ? relays : workers) ?? []).map(toArrived);
}

function toArrived({ id, name, status, status_reason, models = [], connected_at }: WorkerRow): Arrived {
  const isReady = status === "idle" || status === "working" || status === "ready";
  return { id, name, isReady, reason: isReady ? "" : (status_reason ?? ""), models, connectedAt: connected_at };
}

/** Returns the workers that were not among those that were there before. */
export function newAmong(workers: readonly Arrived[], before: ReadonlySet<string>): readonly Arrived[] {
  return workers.filter(({ id }) => !before.has(id));
}

/** What the page says of an arrival. */
export type Phase = "waiting" | "late" | "not_ready" | "asking" | "answered" | "unanswered";

/** `waitedMs` is how long the line has been there without a worker. */
export function phaseOf(
  worker: Arrived | undefined,
  answer: { readonly isAsking: boolean; readonly isThere: boolean; readonly problem: string },
  waitedMs: number,
): Phase {
  if (worker === undefined) return waitedMs > USUAL_MS ? "late" : "waiting";
  // An answer stays one, also if the worker is busy, or has left meanwhile.
  if (answer.isThere) return "answered";
  if (answer.isAsking) return "asking";
  if (!worker.isReady) return "not_ready";
  return answer.problem === "" ? "asking" : "unanswered";
}
