import { apiKeyCheck } from "./api-key.ts";
import { cancelCheck } from "./cancel.ts";
import { httpChecks } from "./http.ts";
import { idleChecks } from "./idle.ts";
import { jobCheck } from "./jobs.ts";
import { linkChecks } from "./link-checks.ts";
import { reachChecks } from "./reach.ts";
import type { Plan } from "./run.ts";
import { bodySizeCheck, messageSizeCheck } from "./sizes.ts";
import { streamingCheck } from "./streaming.ts";
import { tlsCheck } from "./tls.ts";
import { uploadCheck } from "./uploads.ts";
import type { Visit } from "./visit.ts";

/** Every check, each after those that it needs, the longest last. */
export function createPlan(visit: Visit, version: string): Plan {
  const { target } = visit;
  const inOrder = [
    ...reachChecks(target),
    tlsCheck(target),
    ...httpChecks(target, version),
    ...linkChecks(visit),
    apiKeyCheck(target),
    jobCheck(visit),
    streamingCheck(visit),
    cancelCheck(visit),
    bodySizeCheck(visit),
    messageSizeCheck(visit),
    uploadCheck(visit),
  ];
  return [...inOrder.map((check) => [check]), idleChecks(visit)];
}
