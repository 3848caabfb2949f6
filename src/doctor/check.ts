/** What a check says in one word. `skipped`: not measured, and the finding says why. */
export type Verdict = "good" | "warning" | "bad" | "skipped";

/** What a check found. Holds no key and nothing of an answer's body but the name of who sent it. */
export interface Finding {
  readonly verdict: Verdict;
  /** What was measured, as a line to read. */
  readonly measured: string;
  /** What to do about it; there whenever something is wrong. */
  readonly advice?: string;
}

/** One question about a deployment. */
export interface Check {
  /** For programs: kept from version to version. */
  readonly id: string;
  readonly title: string;
  /** Ids of the checks without which this one could not succeed; it is skipped unless all were good or a warning. */
  readonly needs: readonly string[];
  /** How long it may take. Past it the signal is aborted and the check is bad. */
  readonly limitMs: number;
  run(signal: AbortSignal): Promise<Finding>;
}

/** A check that is over. */
export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
  readonly elapsedMs: number;
}

export function good(measured: string): Finding {
  return { verdict: "good", measured };
}

export function warning(measured: string, advice: string): Finding {
  return { verdict: "warning", measured, advice };
}

export function bad(measured: string, advice: string): Finding {
  return { verdict: "bad", measured, advice };
}

export function skipped(measured: string, advice?: string): Finding {
  return { verdict: "skipped", measured, ...(advice === undefined ? {} : { advice }) };
}
