import type { Log } from "../../system/deps.ts";
import { type LastUpdate, updateFault, updateHint } from "./update-plan.ts";

/** What is needed to become another version. */
export interface Updater {
  /** The last update that is remembered. */
  last(): LastUpdate | undefined;
  /**
   * Fetches the server's own version and makes sure that it starts. Resolves with the last step, after which this process is
   * another one or has ended; rejects with an `Error` that says what is wrong, while the worker goes on.
   */
  prepare(version: string): Promise<() => void>;
}

export interface VersionWatchOptions {
  /** The version of this worker. */
  readonly version: string;
  readonly server: string;
  /** What one types to start this program. */
  readonly launcher: string;
  /** Undefined for a worker that is not to update itself. */
  readonly updater: Updater | undefined;
  /** Whether TLS certificates are not verified. */
  readonly isUnverified: boolean;
  readonly now: () => number;
  readonly log: Log;
  /** Ends the worker in order. */
  readonly stop: () => Promise<void>;
  /** Writes the rest of the log, which ends with this process. */
  readonly flush: () => void;
}

/** Notices that the server has another version. Says so, once for each, and becomes that version if the operator wants it. */
export class VersionWatch {
  readonly #options: VersionWatchOptions;
  readonly #told = new Set<string>();
  #isUpdating = false;

  constructor(options: VersionWatchOptions) {
    this.#options = options;
  }

  /** A server has answered a registration. Servers before 0.2 may not say their version. */
  handle(serverVersion: string | undefined): void {
    const { version, server, launcher, updater, log } = this.#options;
    if (serverVersion === undefined || serverVersion === version || this.#told.has(serverVersion)) return;
    // No cluster has more versions than this, and a server that makes them up fills no log.
    if (this.#told.size >= MAX_TOLD) return;
    this.#told.add(serverVersion);
    const hint = updater === undefined ? updateHint(launcher, server, serverVersion) : undefined;
    log.info("version.differs", { version, server_version: serverVersion, hint });
    if (updater !== undefined && !this.#isUpdating) void this.#update(updater, serverVersion);
  }

  async #update(updater: Updater, target: string): Promise<void> {
    const { server, isUnverified, now, log, stop, flush } = this.#options;
    const fault = updateFault(target, server, { last: updater.last(), now: now(), isUnverified });
    if (fault !== undefined) return log.warn("update.refused", { server_version: target, reason: fault });
    this.#isUpdating = true;
    log.info("update.started", { server_version: target });
    try {
      const finish = await updater.prepare(target);
      await stop();
      log.info("update.done", { server_version: target });
      flush();
      finish();
    } catch (error) {
      this.#isUpdating = false;
      const reason = error instanceof Error ? error.message.slice(0, 500) : "unknown reason";
      log.warn("update.failed", { server_version: target, reason, hint: "the worker goes on in its own version" });
    }
  }
}

const MAX_TOLD = 20;
