import type { CauseCounts } from "./failure-cause.ts";

/** A plugin's account of itself to operators: the State API, the overview and the list of problems are made of it. */
export interface Reports {
  /** A plain copy of the plugin's state for the State API. MUST be JSON, with names in snake_case. */
  state(): object;
  /** MUST grow whenever `state()` would return something different, apart from clocks, because viewers get only changes. */
  readonly revision: number;
  /** The plugin's figures. It is called once a second, so it must be cheap. */
  pulse?(): Pulse;
  /** The conditions that are wrong now; called once a second. Problems that any plugin may have are found from the pulses. */
  problems?(): readonly Condition[];
}

/**
 * A plugin's figures: gauges of this moment, and counters that only grow from the plugin's start on. A plugin leaves out
 * what it does not have.
 */
export interface Pulse {
  /** Workers by status; missing where no worker dials in. */
  readonly workers?: WorkerCounts;
  readonly slots?: { readonly used: number; readonly total: number };
  /** Requests that wait for a slot, and how many may. */
  readonly queue?: { readonly waiting: number; readonly capacity: number };
  /** Requests that have ended in any way. */
  readonly requests: number;
  /** Failed requests, without those that failed by a client's mistake. */
  readonly failures?: number;
  /** Those failures by cause, as far as the plugin tells them apart. */
  readonly causes?: CauseCounts;
  /** Output tokens of answers, including those of unfinished ones as far as they can be told. */
  readonly tokens?: number;
  /** Whether a part of them is told from the bytes of answers that still run, or otherwise estimated. */
  readonly areTokensEstimated?: boolean;
  /** The prompt tokens of the answers that state how many of them came from a cache, and those that did. */
  readonly prompt?: { readonly tokens: number; readonly cached: number };
  /** Bytes of answers, including unfinished ones. */
  readonly bytes?: number;
}

export interface WorkerCounts {
  readonly idle: number;
  readonly working: number;
  readonly notReady: number;
  readonly draining: number;
}

export type Severity = "critical" | "warning" | "info";

/** What a condition is about, so that a page can lead there. Absent parts play no role. */
export interface Subject {
  /** The id of the one worker that it is about. */
  readonly worker?: string;
  /** The ids of several workers, at most 10. */
  readonly workers?: readonly string[];
  readonly model?: string;
  /** The id of another server. */
  readonly server?: string;
  /** A caller by its name in logs. */
  readonly caller?: string;
}

/** Something that is wrong for as long as it is reported. */
export interface Condition {
  /** For programs: snake_case, and its meaning never changes. */
  readonly code: string;
  /** Distinguishes conditions of one code, for example by a model's name. */
  readonly about?: string;
  /** What it is about, for pages. */
  readonly subject?: Subject;
  readonly severity: Severity;
  /** A short sentence for people. It may quote names that workers chose. */
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
  /** How long the condition must last before it is shown; it is shown at once unless given. */
  readonly afterMs?: number;
  /** How long the condition stays on the list after its last report, for conditions that come and go. */
  readonly lingerMs?: number;
}
