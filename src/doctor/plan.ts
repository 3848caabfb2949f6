import { apiKeyCheck } from "./api-key.ts";
import { cancelCheck } from "./cancel.ts";
import type { Checkup } from "./checkup.ts";
import { httpChecks } from "./http.ts";
import { idleChecks } from "./idle.ts";
import { jobCheck } from "./jobs.ts";
import { linkChecks } from "./link-checks.ts";
import { ownKeyChecks } from "./own-key.ts";
import { reachChecks } from "./reach.ts";
import type { Plan } from "./run.ts";
import { serversCheck } from "./servers.ts";
import { bodySizeCheck, messageSizeCheck } from "./sizes.ts";
import { streamingCheck } from "./streaming.ts";
import { tlsCheck } from "./tls.ts";
import { uploadCheck } from "./uploads.ts";

/** Returns every check, each after those that it depends on, the longest last. */
export function createPlan(checkup: Checkup, version: string): Plan {
  const { target } = checkup;
  const inOrder = [
    ...ownKeyChecks(target.ownKey),
    ...reachChecks(target),
    tlsCheck(target),
    ...httpChecks(target, version),
    ...linkChecks(checkup),
    serversCheck(checkup),
    apiKeyCheck(target),
    jobCheck(checkup),
    streamingCheck(checkup),
    cancelCheck(checkup),
    bodySizeCheck(checkup),
    messageSizeCheck(checkup),
    uploadCheck(checkup),
  ];
  return [...inOrder.map((check) => [check]), idleChecks(checkup)];
}
