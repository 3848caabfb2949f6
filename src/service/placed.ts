import type { InstallRequest } from "./install-args.ts";
import { type MachinePlaces, placesOf, type ServiceMachine, serviceSystem } from "./places.ts";
import type { Scope, ServiceSystem } from "./service-spec.ts";

/** Which system starts a service, for which user, and where its files are. */
export interface Placed {
  readonly system: ServiceSystem;
  readonly scope: Scope;
  readonly places: MachinePlaces;
  /** The user that it runs as; see `ServiceSpec`. */
  readonly runAs: string | undefined;
}

/** Decides where a service goes, or says why it cannot go there. */
export function placeService(
  { name, scope: asked, runAs: given, isDry }: InstallRequest,
  machine: ServiceMachine,
): Placed | { readonly fault: string } {
  const system = serviceSystem(machine.platform);
  if (system === undefined)
    return {
      fault: `Moorage knows no services of ${machine.platform}. Start \`moorage worker …\` from those of your system.`,
    };
  if (system === "windows" && (asked === "system" || given !== undefined))
    return {
      fault:
        "On Windows there is one form: a scheduled task that starts with the machine and runs as you. Leave --system and --run-as out.",
    };
  const isRoot = machine.uid === 0;
  const scope = asked ?? (isRoot && system !== "windows" ? "system" : "user");
  if (scope === "user" && given !== undefined)
    return {
      fault: "--run-as is for services of the machine. Add --system, or leave it out: your own services run as you.",
    };
  if (scope === "system" && !isRoot && !isDry)
    return { fault: "A service of the machine takes root: put sudo in front. Or give --user, for one of your own." };
  const sudo = machine.env["SUDO_USER"];
  const runAs = given ?? (system === "launchd" && scope === "system" && sudo !== "root" ? sudo : undefined);
  if (system === "launchd" && scope === "system" && runAs === undefined && !isDry)
    return { fault: "Give --run-as USER: a daemon would run as root, with all that its MCP servers do." };
  return { system, scope, places: placesOf(name, scope, system, machine), runAs };
}
