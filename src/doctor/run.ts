import type { Clock } from "../system/deps.ts";
import { errorCode } from "../worker/backend.ts";
import { bad, type Check, type Finding, type Result, skipped } from "./check.ts";

/** Checks in their order. The checks of one group run at the same time; their results still come in order. */
export type Plan = readonly (readonly Check[])[];

/**
 * Runs a plan and resolves to every check's result. Each also goes to `onResult`, in order, as soon as it is known. Never
 * rejects: a check that throws or takes too long is bad, and one whose dependency failed is skipped.
 */
export async function runChecks(
  plan: Plan,
  clock: Clock,
  onResult: (result: Result) => void = () => {},
): Promise<readonly Result[]> {
  const results = new Map<string, Result>();
  /** The title of the check that failed first, by the id of each check that was skipped because of it. */
  const roots = new Map<string, string>();
  for (const group of plan) {
    const running = group.map((check) => {
      const missing = check.needs.find((id) => !isFoundation(results.get(id)));
      if (missing === undefined) return runOne(check, clock);
      const root = roots.get(missing) ?? results.get(missing)?.title ?? missing;
      roots.set(check.id, root);
      const finding = skipped(`skipped because "${root}" failed`);
      return Promise.resolve({ ...finding, id: check.id, title: check.title, elapsedMs: 0 });
    });
    for (const each of running) {
      const result = await each;
      results.set(result.id, result);
      onResult(result);
    }
  }
  return [...results.values()];
}

/** Returns whether nothing has to be fixed before this deployment can be relied on. */
export function isSound(results: readonly Result[]): boolean {
  return results.every(({ verdict }) => verdict !== "bad");
}

function isFoundation(result: Result | undefined): boolean {
  return result?.verdict === "good" || result?.verdict === "warning";
}

async function runOne(check: Check, clock: Clock): Promise<Result> {
  const { id, title, limitMs } = check;
  const startedAt = clock.elapsed();
  const abort = new AbortController();
  const late = new Promise<Finding>((resolve) => {
    const cancel = clock.after(limitMs, () => {
      resolve(bad(`no result within ${limitMs / 1000} s`, "Something in between holds this back without a response."));
      abort.abort();
    });
    abort.signal.addEventListener("abort", cancel);
  });
  const found = check
    .run(abort.signal)
    .catch((error: unknown) => bad(`broke off: ${errorCode(error)}`, "Try again; the server's log may have details."));
  const finding = await Promise.race([found, late]);
  // Ends whatever the check has left open.
  abort.abort();
  return { ...finding, id, title, elapsedMs: Math.round(clock.elapsed() - startedAt) };
}
