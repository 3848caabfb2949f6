import type { WorkerSettings } from "./args.ts";
import type { Introduction } from "./dialer.ts";
import type { HostFacts } from "./host.ts";
import { type Kind, statusMessage } from "./kind.ts";
import type { BackendState } from "./watch.ts";

export interface ModelIntroductionOptions {
  readonly kind: Kind;
  readonly settings: WorkerSettings;
  readonly host: HostFacts;
  readonly version: string;
  /** What is known of the backend now. */
  readonly state: () => BackendState;
}

/** What a worker that serves models says of itself: its models, its room, and why it has none. */
export class ModelIntroduction implements Introduction {
  readonly #options: ModelIntroductionOptions;
  /** What the server was told last. */
  #told: BackendState | undefined;
  /** A registration has no room for why a worker is not ready. */
  #owesReason = false;

  constructor(options: ModelIntroductionOptions) {
    this.#options = options;
  }

  first(workerId: string | undefined): object {
    const { kind, settings, host, version, state } = this.#options;
    const backend = state();
    this.#told = backend;
    this.#owesReason = !backend.isUp;
    return kind.register({ settings, workerId, version, host, backend });
  }

  update(): object | undefined {
    const { settings, host, state } = this.#options;
    const now = state();
    const was = this.#told;
    if (!this.#owesReason && now === was) return undefined;
    this.#told = now;
    const isWhole = this.#owesReason;
    this.#owesReason = false;
    return statusMessage(settings, host, now, isWhole ? undefined : was);
  }
}
