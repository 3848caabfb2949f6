import { createHash } from "node:crypto";
import type { WorkerSettings } from "./args.ts";
import type { StateMark } from "./identity-file.ts";

/**
 * Returns what a worker is for. Workers of one machine that differ in it find their own state again, in whatever order they
 * start.
 */
export function markOf({
  kinds,
  name,
  backend,
  asrBackend,
  relays,
}: Pick<WorkerSettings, "kinds" | "name" | "backend" | "asrBackend" | "relays">): StateMark {
  const setup = JSON.stringify([name, backend ?? null, asrBackend ?? null, relays.map((relay) => relay.name)]);
  return {
    kinds: [...kinds].sort().join(","),
    setup: createHash("sha256").update(setup).digest("hex").slice(0, 16),
  };
}
