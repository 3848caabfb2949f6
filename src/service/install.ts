import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { tokenIdOf } from "../worker/identity.ts";
import { httpUrl } from "../worker/server-url.ts";
import { makeDirectory, runCommands, ServiceFault, writePlanned } from "./carry-out.ts";
import type { InstallRequest } from "./install-args.ts";
import { toIntent } from "./intent.ts";
import { joinedFile } from "./joined.ts";
import type { Placed } from "./placed.ts";
import { servicePlan } from "./plan.ts";
import type { ServiceHost } from "./service-host.ts";
import type { Named, ServicePlan } from "./service-spec.ts";
import { commandLine, maskedEnvironment, maskedSettings, planText } from "./show.ts";

/** How long the worker may take to trade its join token before the command says that it has not. */
const JOIN_MS = 30_000;
const LOOK_MS = 500;
/** How long a service must have run to count as started. */
const STARTED_MS = 2000;

/**
 * Writes a worker as a service, shows what it writes and runs, and starts it. Returns the exit code. Throws a `ServiceFault`
 * if a step fails.
 */
export async function installService(request: InstallRequest, placed: Placed, host: ServiceHost): Promise<number> {
  const { system, places } = placed;
  const intent = toIntent(request, placed, host);
  if (intent.kind === "text") {
    (intent.code === 0 ? host.out : host.err)(`${intent.text}\n`);
    return intent.code;
  }
  const { spec, settings, record, remarks } = intent;
  const plan = (given: readonly Named[], isShown: boolean): ServicePlan =>
    servicePlan(
      system,
      isShown ? { ...spec, environment: maskedEnvironment(spec.environment) } : spec,
      isShown ? maskedSettings(given) : given,
      places,
      host.machine,
    );
  const whole = plan(settings, false);
  host.out(`${title(request, placed, host)}\n\n${planText(plan(settings, true))}\n`);
  for (const remark of [...remarks, ...whole.notes]) host.out(`Note: ${remark}\n`);
  if (request.isDry) {
    host.out(`\nThis was a dry run: nothing was written or started. The program would be in ${places.base}.\n`);
    return 0;
  }
  makeDirectory(places.base);
  host.out(`\nPutting the program into ${places.base}\n`);
  await host.program.place(places.base);
  for (const directory of whole.directories) makeDirectory(directory);
  writePlanned({
    path: recordPath(places.base),
    text: `${JSON.stringify(record, undefined, 2)}\n`,
    access: "public",
  });
  for (const file of whole.files) writePlanned(file);
  await runCommands(whole.start, host);
  await checkStarted(whole, host);
  const isDone = await finishJoining({ settings, intent, write: (kept) => plan(kept, false).files[0] }, host);
  host.out(`\n${afterwards(request, placed, whole, host)}\n`);
  if (system === "systemd" && placed.scope === "user") await tellLingering(host);
  return isDone ? 0 : 1;
}

/** The file beside the program that says what the service is. */
export function recordPath(base: string): string {
  return join(base, "service.json");
}

function title({ name, isDry }: InstallRequest, { system, scope }: Placed, { version }: ServiceHost): string {
  const what = {
    systemd: "systemd unit",
    launchd: scope === "user" ? "LaunchAgent" : "LaunchDaemon",
    windows: "scheduled task",
  };
  const whose = scope === "user" ? "of this user" : "of this machine";
  return `${isDry ? "Would install" : "Installing"} Moorage ${version} as the ${what[system]} ${name} ${whose}.`;
}

async function checkStarted({ check, logs }: ServicePlan, host: ServiceHost): Promise<void> {
  if (check === undefined) return;
  await host.pause(STARTED_MS);
  const { code } = await host.run(check.words);
  if (code !== 0) throw new ServiceFault(`The service was installed, but does not run. Its log says why: ${logs}`);
}

interface Joining {
  readonly settings: readonly Named[];
  readonly intent: { readonly stateFile: string | undefined; readonly server: string };
  readonly write: (settings: readonly Named[]) => Parameters<typeof writePlanned>[0] | undefined;
}

/**
 * Waits until the worker has traded its join token, and takes that out of the settings: from then on the worker has a key of
 * its own. Returns whether there is nothing left to trade.
 */
async function finishJoining({ settings, intent, write }: Joining, host: ServiceHost): Promise<boolean> {
  const { stateFile, server } = intent;
  const token = settings.find(([variable]) => variable === "JOIN_TOKEN")?.[1];
  if (token === undefined || stateFile === undefined) return true;
  const by = { server: httpUrl(server), tokenId: tokenIdOf(token) };
  host.out("\nWaiting for the worker to join.\n");
  let joined = joinedFile(stateFile, by);
  for (let waitedMs = 0; joined === undefined; waitedMs += LOOK_MS) {
    if (waitedMs >= JOIN_MS) {
      host.err(
        "The worker has not joined yet. It goes on trying, and its log says why. The join token stays in its settings until the service is installed again.\n",
      );
      return false;
    }
    await host.pause(LOOK_MS);
    joined = joinedFile(stateFile, by);
  }
  const rest = write(settings.filter(([variable]) => variable !== "JOIN_TOKEN"));
  if (rest !== undefined) writePlanned(rest);
  host.out(`The worker has joined. Its own key is in ${joined}, and the join token is no longer in its settings.\n`);
  return true;
}

function afterwards(
  { name }: InstallRequest,
  { scope, places }: Placed,
  { logs, status }: ServicePlan,
  { launcher, machine }: ServiceHost,
): string {
  const isRoot = scope === "system";
  const flags = `${name === "moorage-worker" ? "" : ` --service ${name}`}${isRoot && machine.uid !== 0 ? " --system" : ""}`;
  return [
    `logs       ${logs}`,
    `status     ${commandLine(status.words)}`,
    `settings   ${places.settings}  (install again, or edit it and restart the service)`,
    `remove     ${isRoot ? "sudo " : ""}${launcher} worker uninstall${flags}`,
  ].join("\n");
}

/** systemd ends a user's services when the last session ends, unless the user lingers. */
async function tellLingering({ machine, run, out }: ServiceHost): Promise<void> {
  const { code, text } = await run(["loginctl", "show-user", machine.user, "--property=Linger", "--value"]);
  if (code === 0 && text.trim() === "yes") return;
  out(
    `\nIt runs while you are logged in. To let it run from the start of the machine, and after you log out:\n\n  sudo loginctl enable-linger ${machine.user}\n`,
  );
}

/** Whether a service of this name is there. */
export function isInstalled({ places }: Placed, plan: ServicePlan): boolean {
  return (
    existsSync(recordPath(places.base)) ||
    plan.files.some(({ path }) => dirname(path) === places.services && existsSync(path))
  );
}
