import { createHash } from "node:crypto";
import { Fault } from "../errors.ts";
import type { Clock, Log } from "../system/deps.ts";

/** The package of this server's own version, as it is handed out. */
export interface HandedPackage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A digest of the bytes, in quotes as HTTP writes it. */
  readonly etag: string;
}

/** Makes the package of this server's version, or finds it. MUST NOT block the event loop. */
export type Pack = () => Promise<{ readonly bytes: Uint8Array }>;

export interface PackageDeskOptions {
  /** Called when the package is first asked for, and again after it has failed. */
  readonly pack: Pack;
  readonly clock: Pick<Clock, "elapsed">;
  readonly log: Log;
}

/** The least time between two attempts to make the package. */
const RETRY_MS = 30_000;

/** Keeps the package, which is made when it is first asked for. */
export class PackageDesk {
  readonly #options: PackageDeskOptions;
  #made: Promise<HandedPackage> | undefined;
  #failedAt: number | undefined;

  constructor(options: PackageDeskOptions) {
    this.#options = options;
  }

  /** Returns the package. Throws `package_unavailable`. */
  get(): Promise<HandedPackage> {
    const { clock } = this.#options;
    if (this.#failedAt !== undefined && clock.elapsed() - this.#failedAt < RETRY_MS) throw unavailable();
    this.#made ??= this.#make();
    return this.#made;
  }

  async #make(): Promise<HandedPackage> {
    const { pack, clock, log } = this.#options;
    try {
      const bytes = new Uint8Array((await pack()).bytes);
      const digest = createHash("sha256").update(bytes).digest("base64url");
      this.#failedAt = undefined;
      return { bytes, etag: `"${digest}"` };
    } catch (error) {
      this.#made = undefined;
      this.#failedAt = clock.elapsed();
      log.error("package.failed", { reason: error instanceof Error ? error.message.slice(0, 500) : "unknown" });
      throw unavailable();
    }
  }
}

function unavailable(): Fault {
  return new Fault("package_unavailable", { retryAfterS: RETRY_MS / 1000 });
}
