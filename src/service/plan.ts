import { launchdPlan } from "./launchd.ts";
import type { MachinePlaces, ServiceMachine } from "./places.ts";
import type { Named, ServicePlan, ServiceSpec, ServiceSystem } from "./service-spec.ts";
import { systemdPlan } from "./systemd.ts";
import { windowsPlan } from "./windows-task.ts";

/** Returns a worker as a service of a system. Throws a `RangeError` for a word that the system cannot keep as it is. */
export function servicePlan(
  system: ServiceSystem,
  spec: ServiceSpec,
  settings: readonly Named[],
  places: MachinePlaces,
  machine: ServiceMachine,
): ServicePlan {
  switch (system) {
    case "systemd":
      return systemdPlan(spec, settings, places);
    case "launchd":
      return launchdPlan(spec, settings, places, machine);
    case "windows":
      return windowsPlan(spec, settings, places, machine.user);
    default:
      return system satisfies never;
  }
}
