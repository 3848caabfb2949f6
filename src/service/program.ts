import { runServiceCommand } from "./service-command.ts";
import type { ServiceVerb } from "./service-verb.ts";
import { systemHost } from "./system-host.ts";

/** Runs `moorage worker install`, `uninstall` or `status` in this process, which then ends. */
export async function runService(
  verb: ServiceVerb,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  // The service may have another user, which must be able to read its program. Private files have a mode of their own.
  process.umask(0o022);
  process.exit(await runServiceCommand(verb, argv, systemHost(env)));
}
