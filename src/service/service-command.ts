import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { ServiceFault } from "./carry-out.ts";
import { helpText } from "./help.ts";
import { installService } from "./install.ts";
import { readInstallArgs } from "./install-args.ts";
import { placeService } from "./placed.ts";
import { ProgramFault } from "./program-files.ts";
import type { ServiceHost } from "./service-host.ts";
import type { ServiceVerb } from "./service-verb.ts";
import { showStatus, uninstallService } from "./uninstall.ts";

/** Runs `moorage worker install`, `uninstall` or `status`. `argv` begins after that word. Returns the exit code. */
export async function runServiceCommand(
  verb: ServiceVerb,
  argv: readonly string[],
  host: ServiceHost,
): Promise<number> {
  const reading = readInstallArgs(verb, argv);
  if (reading.kind === "help") {
    host.out(`${helpText(host.version, host.launcher)}\n`);
    return 0;
  }
  if (reading.kind === "fault") return refuse(reading.text, host);
  const { request } = reading;
  const placed = placeService(request, host.machine);
  if ("fault" in placed) return refuse(placed.fault, host);
  if (!request.isDry && !host.isManaged()) return refuse(UNMANAGED, host);
  try {
    if (verb === "install") return await installService(request, placed, host);
    return await (verb === "uninstall" ? uninstallService : showStatus)(request, placed, host);
  } catch (error) {
    if (error instanceof RangeError)
      return refuse(`The service cannot be written: a path or a setting contains ${error.message}.`, host);
    if (!(error instanceof ServiceFault || error instanceof ProgramFault)) throw error;
    host.err(`\n${error.message}\n`);
    return 1;
  }
}

const UNMANAGED =
  "systemd does not run here, as in most containers. Start `moorage worker …` from what starts programs on this machine, such as the container itself; --dry-run shows the unit.";

function refuse(text: string, host: ServiceHost): number {
  host.err(`${text}\n`);
  return EXIT_CONFIG;
}
