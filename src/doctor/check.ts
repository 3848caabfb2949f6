/** The result of a check in one word. `skipped`: not measured, and the finding says why. */
export type Verdict = "good" | "warning" | "bad" | "skipped";

/** The result of a check. MUST NOT contain a key, or anything from an answer's body except the name of its sender. */
export interface Finding {
  readonly verdict: Verdict;
  /** What was measured, as one line of text. */
  readonly measured: string;
  /** What to do about it; set whenever something is wrong. */
  readonly advice?: string;
}

/** One question about a deployment. */
export interface Check {
  /** The name for programs, which does not change between versions. */
  readonly id: string;
  readonly title: string;
  /** Ids of checks that this one depends on; it is skipped unless all of them were good or a warning. */
  readonly needs: readonly string[];
  /** How long the check may take. After that the signal is aborted and the check is bad. */
  readonly limitMs: number;
  run(signal: AbortSignal): Promise<Finding>;
}

/** A finished check. */
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
