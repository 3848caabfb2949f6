import { existsSync } from "node:fs";
import { remove, runCommands } from "./carry-out.ts";
import { isInstalled, recordPath } from "./install.ts";
import type { InstallRequest } from "./install-args.ts";
import type { Placed } from "./placed.ts";
import { servicePlan } from "./plan.ts";
import type { ServiceHost } from "./service-host.ts";
import { readRecord } from "./service-record.ts";
import type { ServicePlan } from "./service-spec.ts";
import { commandLines } from "./show.ts";

/** Returns the plan of a service that is there, as far as ending it needs one. */
function planOf(
  { name }: InstallRequest,
  { system, scope, places, runAs }: Placed,
  { machine }: ServiceHost,
): ServicePlan {
  const words = ["moorage"] as const;
  const spec = { name, scope, words, directory: undefined, runAs, drainS: 0, environment: [] };
  return servicePlan(system, spec, [], places, machine);
}

/** Ends a service and removes its files. The worker's own key stays. Returns the exit code. */
export async function uninstallService(request: InstallRequest, placed: Placed, host: ServiceHost): Promise<number> {
  const { places } = placed;
  const plan = planOf(request, placed, host);
  const record = readRecord(recordPath(places.base));
  const gone = [...plan.files.map(({ path }) => path).filter((path) => !path.startsWith(places.base)), places.base];
  if (!isInstalled(placed, plan)) {
    host.err(`There is no service ${request.name} here: ${gone.join(", ")} are not there.\n`);
    return 1;
  }
  if (request.isDry) {
    host.out(`Would run:\n${commandLines(plan.stop)}and remove:\n${gone.map((path) => `  ${path}\n`).join("")}`);
    return 0;
  }
  host.out(`Stopping and removing ${request.name}.\n\n`);
  await runCommands(plan.stop, host);
  for (const path of gone) {
    host.out(`  removing ${path}\n`);
    remove(path);
  }
  await runCommands(plan.afterRemoval, host);
  const state = record?.state_file;
  const isKept = state !== undefined && !state.startsWith(places.base) && existsSync(state);
  host.out(
    `\n${request.name} is gone.${isKept ? ` The key with which the worker had joined stays in ${state}: a later one uses it again. An operator can revoke it on the server.` : ""}\n`,
  );
  return 0;
}

/** Shows what the system says of a service. Returns its exit code. */
export async function showStatus(request: InstallRequest, placed: Placed, host: ServiceHost): Promise<number> {
  const plan = planOf(request, placed, host);
  if (!isInstalled(placed, plan)) {
    host.err(`There is no service ${request.name} of ${placed.scope === "user" ? "this user" : "this machine"}.\n`);
    return 1;
  }
  const { code, text } = await host.run(plan.status.words);
  host.out(text.endsWith("\n") ? text : `${text}\n`);
  host.out(`logs: ${plan.logs}\n`);
  return code;
}
