import { Fault } from "../../errors.ts";
import type { McpPorts } from "./call.ts";
import { RelayMissed } from "./call-relay.ts";
import type { FoundRelay } from "./relays.ts";

/** How many times a call is sent to a server that turns out to have lost the relay. */
const MAX_MISSES = 3;

export interface FindOptions {
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Returns whether `send` may be called again. */
  readonly mayRepeat: () => boolean;
}

/**
 * Finds a relay and sends it a call with `send`. If `send` rejects with `RelayMissed`, because the relay has just left the
 * server where it was found, it is looked for again. Rejects with `relay_unavailable`, or as `send` does.
 */
export async function findRelay(
  { area: { relays } }: McpPorts,
  id: string,
  { signal, mayRepeat }: FindOptions,
  send: (found: FoundRelay) => Promise<Response>,
): Promise<Response> {
  const until = relays.searchEnd();
  let missedAt: string | undefined;
  for (let misses = 0; misses < MAX_MISSES; misses += 1) {
    const found = await relays.find({ id, signal, until, missedAt });
    try {
      return await send(found);
    } catch (error) {
      if (!(error instanceof RelayMissed)) throw error;
      if (!mayRepeat()) break;
      if (found.kind === "elsewhere") missedAt = found.server;
    }
  }
  throw new Fault("relay_unavailable", { retryAfterS: 1 });
}
