import { type FoundNatsServer, findNatsServer } from "../../src/demo/nats/find-nats-server.ts";

/** Kept for the whole test run, since a search that finds nothing may take minutes. */
let found: FoundNatsServer | undefined;

/** Finds nats-server, fetches it if it must, and prints once which one it is. */
export function foundNatsServer(): FoundNatsServer {
  if (found) return found;
  found = findNatsServer({ onStep: (text) => process.stderr.write(`${text}\n`) });
  if (found.kind === "found") process.stderr.write(`nats-server: ${found.version} from ${found.from}\n`);
  return found;
}
