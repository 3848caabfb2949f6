import type { CancelTimer, Deps } from "../../system/deps.ts";
import type { UpstreamHealth } from "./health.ts";

/** How long a connection may take: a server on this machine or its network accepts it at once, or never. */
const TIMEOUT_MS = 5000;
/** How often a server that is away is looked for. */
const LOOK_AGAIN_MS = 10_000;

export interface ReachWatchOptions {
  readonly url: string;
  readonly health: UpstreamHealth;
  readonly deps: Pick<Deps, "clock" | "log">;
}

/** Finds out whether anything listens at the MCP server's address, without sending anything there. */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  #isLooking = false;
  #cancelTimer: CancelTimer = () => {};
  #isStopped = false;

  constructor(options: ReachWatchOptions) {
    this.#options = options;
  }

  /** Looks now, at the start and after a call that could not reach the server, and then again until the server is there. */
  look(): void {
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    void this.#look(true);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  async #look(isFirst: boolean): Promise<void> {
    const { url, health, deps } = this.#options;
    const reason = await reasonIfAway(url);
    if (this.#isStopped) return;
    // Calls may reach the server although no direct connection does: through a proxy.
    if (reason === undefined || (!isFirst && !health.isBroken)) {
      this.#isLooking = false;
      return health.works();
    }
    if (isFirst)
      deps.log.warn("upstream.away", { reason, hint: "check that the MCP server is running, and its --url" });
    health.failed(`the MCP server cannot be reached: ${reason}`);
    this.#cancelTimer = deps.clock.after(LOOK_AGAIN_MS, () => void this.#look(false));
  }
}

/** Resolves with the reason why there is no connection to the URL's address; with undefined if there is one. */
async function reasonIfAway(url: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  const opened = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => opened.resolve("no connection in time"), TIMEOUT_MS);
  timer.unref();
  Bun.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (protocol === "https:" ? 443 : 80),
    socket: {
      open(socket) {
        socket.end();
        opened.resolve(undefined);
      },
      data() {},
      connectError: (_socket, error) => opened.resolve(error.message),
    },
  }).catch((error: Error) => opened.resolve(error.message));
  const reason = await opened.promise;
  clearTimeout(timer);
  return reason;
}
