import type { Deps } from "../system/deps.ts";
import type { Result } from "./check.ts";
import { Checkup } from "./checkup.ts";
import { createPlan } from "./plan.ts";
import { runChecks } from "./run.ts";
import type { Target } from "./target.ts";

/** Examines a deployment without changing it. Each result also goes to `onResult` as soon as it is known. */
export async function examine(
  target: Target,
  version: string,
  deps: Deps,
  onResult?: (result: Result) => void,
): Promise<readonly Result[]> {
  const checkup = new Checkup(target, version, deps);
  try {
    return await runChecks(createPlan(checkup, version), deps.clock, onResult);
  } finally {
    await checkup.close();
  }
}
