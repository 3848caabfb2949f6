import type { Sample } from "../../src/state/history.ts";

/** A sample of a server without load, apart from what is given. */
export function sampleOf(more: Partial<Sample>): Sample {
  return {
    at: 0,
    workers_idle: 0,
    workers_working: 0,
    workers_not_ready: 0,
    workers_draining: 0,
    slots_used: 0,
    slots_total: 0,
    waiting: 0,
    requests: 0,
    failures: 0,
    tokens: 0,
    prompt_tokens: 0,
    cached_tokens: 0,
    bytes: 0,
    first_byte_p50_ms: null,
    first_byte_p95_ms: null,
    ...more,
  };
}
