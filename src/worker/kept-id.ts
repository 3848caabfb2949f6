import type { Log } from "../system/deps.ts";
import { IdentityFault, type IdentityFile, isIdAlone, type KeptIdentity } from "./identity-file.ts";

export interface KeptIdOptions {
  readonly file: IdentityFile;
  /** The base URL of the server, as `httpUrl` returns it. */
  readonly server: string;
  readonly newId: () => string;
  readonly log: Log;
}

/**
 * The id of a worker without a key of its own, made once and kept over restarts. Unlike an id that the operator chose, it is given
 * up if another worker has it.
 */
export class KeptId {
  readonly #options: KeptIdOptions;
  #id: string;

  /** Returns the id that is kept, or makes one; undefined if the file belongs to a worker that has joined. Throws an `IdentityFault`. */
  static open(options: KeptIdOptions): KeptId | undefined {
    const { file, server, newId } = options;
    const found = file.read();
    const kept = found?.find((each) => each.server === server);
    if (kept !== undefined && !isIdAlone(kept)) return undefined;
    const workerId = kept?.workerId ?? newId();
    const next: KeptIdentity = { server, workerId, tokenId: "" };
    // Also one that was kept: the file says which worker has used it last.
    if (found === undefined) file.create(next);
    else file.write(next);
    return new KeptId(options, workerId);
  }

  private constructor(options: KeptIdOptions, id: string) {
    this.#options = options;
    this.#id = id;
  }

  get id(): string {
    return this.#id;
  }

  /** Gives up an id that another worker has, and makes another one. */
  renew(): void {
    this.#keep(this.#options.newId());
  }

  /** Keeps the id that the server has given instead. */
  take(id: string): void {
    if (id !== this.#id) this.#keep(id);
  }

  #keep(id: string): void {
    const { file, server, log } = this.#options;
    this.#id = id;
    try {
      file.write({ server, workerId: id, tokenId: "" });
    } catch (error) {
      if (!(error instanceof IdentityFault)) throw error;
      log.warn("worker.state_not_kept", { reason: error.message });
    }
  }
}
