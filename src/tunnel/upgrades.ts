import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import { AcceptPace } from "./accept-pace.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Applicant } from "./session-source.ts";
import type { Upgrader } from "./sockets.ts";

/** Sockets that are open but not registered. Past this, upgrades are refused, so that such sockets cannot fill memory. */
const MAX_UNREGISTERED = 10_000;

/** Turns requests for an upgrade into sockets, at a bounded pace. */
export class Upgrades {
  readonly #arrivals: Arrivals;
  readonly #pace: AcceptPace;

  constructor(clock: Clock, arrivals: Arrivals) {
    this.#arrivals = arrivals;
    this.#pace = new AcceptPace(clock);
  }

  /**
   * Upgrades a request, in the dialect that its subprotocols name, once it is its turn. Throws for one that asks for no
   * WebSocket or for another subprotocol, and while too many sockets have not registered.
   */
  take(request: Request, upgrader: Upgrader, applicant: Applicant): undefined | Promise<undefined> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new Fault("upgrade_required", { headers: { upgrade: "websocket" } });
    }
    const offered =
      request.headers
        .get("sec-websocket-protocol")
        ?.split(",")
        .map((name) => name.trim()) ?? [];
    const isNative = offered.includes(NATIVE_PROTOCOL);
    if (offered.length > 0 && !isNative) {
      throw new Fault("invalid_request", {
        message: `Offer the WebSocket subprotocol ${NATIVE_PROTOCOL}, or none for the legacy dialect.`,
      });
    }
    if (this.#arrivals.unregistered + this.#pace.waiting >= MAX_UNREGISTERED)
      throw new Fault("too_many_connections", { retryAfterS: 5 });
    const upgrade = (): undefined => {
      const data = this.#arrivals.next(isNative ? "native" : "legacy", applicant);
      // Bun would echo the first offered protocol if none were picked.
      const headers = isNative ? { "sec-websocket-protocol": NATIVE_PROTOCOL } : undefined;
      if (!upgrader.upgrade(request, headers ? { data, headers } : { data })) throw new Fault("upgrade_required");
      return undefined;
    };
    const turn = this.#pace.turn();
    return turn === undefined ? upgrade() : turn.then(upgrade);
  }
}
